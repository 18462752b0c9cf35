-- The management account is an account like any other now, with a purpose of its own.
alter table account drop constraint account_purpose;
alter table account add constraint account_purpose
    check (purpose in ('application', 'log_archive', 'security', 'management'));
