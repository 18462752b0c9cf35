-- The management account is an account like any other now, with a purpose of its own. SQLite changes no constraint in place,
-- so the column is made anew.
alter table account add column purpose_anew text not null default 'application'
    constraint account_purpose check (purpose_anew in ('application', 'log_archive', 'security', 'management'));
update account set purpose_anew = purpose;
drop index account_purpose_is;
alter table account drop column purpose;
alter table account rename column purpose_anew to purpose;
create index account_purpose_is on account (purpose) where purpose <> 'application';
