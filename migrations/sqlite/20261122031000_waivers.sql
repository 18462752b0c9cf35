-- Accepted deviations, and cells that somebody keeps changing.

-- One life in one row: what was asked for, and what was said about it. What state it is in follows from that and the time.
create table waiver (
    id text not null primary key,
    -- Whose cells: the organization's own, one account's, those of an OU's accounts, or of all OUs below it too.
    beneficiary text not null constraint waiver_beneficiary check (
        beneficiary in ('organization', 'account', 'unit', 'subtree')
    ),
    account_id text,
    organizational_unit text,
    -- Every Region where there is none.
    region text,
    control text not null,
    reason text not null,
    owner_email text not null,
    requested_by text not null,
    requested_at integer not null,
    expires_at integer not null,
    -- Each with by, at and reason.
    approved text constraint waiver_approved_is_json check (json_valid(approved)),
    rejected text constraint waiver_rejected_is_json check (json_valid(rejected)),
    revoked text constraint waiver_revoked_is_json check (json_valid(revoked)),
    constraint waiver_of_account check ((beneficiary = 'account') = (account_id is not null)),
    constraint waiver_of_unit check ((beneficiary in ('unit', 'subtree')) = (organizational_unit is not null)),
    constraint waiver_ends check (expires_at > requested_at),
    constraint waiver_is_decided_once check (approved is null or rejected is null),
    constraint waiver_is_not_approved_by_its_requester check (approved is null or approved ->> 'by' <> requested_by)
) strict;

-- Those that may be in force: each pass asks for them.
create index waiver_approved on waiver (expires_at) where approved is not null and revoked is null;

create trigger waiver_is_not_removed before delete on waiver
begin
    select raise(abort, 'waivers are never removed');
end;

-- The waiver that the cell was last looked at under.
alter table cell add column waiver_id text constraint cell_waiver references waiver (id);
alter table cell add column waived_until integer;

-- Repairs without peace in between, and the last of them.
alter table cell add column repairs integer not null default 0;
alter table cell add column repaired_at integer;
