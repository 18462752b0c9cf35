-- What was seen is compared with what is seen now, as text: `jsonb` writes it anew, in an order of its own.
alter table cell
    alter column observed type text using observed::text,
    alter column desired type text using desired::text;
