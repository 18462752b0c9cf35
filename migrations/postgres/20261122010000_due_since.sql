-- When the target became due for the pass that has the lease, or had the last one: what AWS said before that is no look.
alter table target add column due_since bigint;
