-- Where what was made is found: an answer that is given again says it again.
alter table idempotency add column location text;
