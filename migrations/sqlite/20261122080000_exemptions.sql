-- Exemptions from service control policies: one life in one row, as of waivers.
create table scp_exemption (
    id text not null primary key,
    -- The name of its file.
    policy text not null,
    -- One of the two.
    account_id text,
    organizational_unit text,
    -- Patterns of ARNs.
    principals text not null constraint scp_exemption_principals_is_json check (json_valid(principals)),
    reason text not null,
    requested_by text not null,
    requested_at integer not null,
    expires_at integer not null,
    -- Each with by, at and reason.
    approved text constraint scp_exemption_approved_is_json check (json_valid(approved)),
    rejected text constraint scp_exemption_rejected_is_json check (json_valid(rejected)),
    revoked text constraint scp_exemption_revoked_is_json check (json_valid(revoked)),
    -- When AWS was seen to spare them, and to deny them again.
    effective_at integer,
    ended_at integer,
    constraint scp_exemption_of_one check ((account_id is null) <> (organizational_unit is null)),
    constraint scp_exemption_ends check (expires_at > requested_at),
    constraint scp_exemption_is_decided_once check (approved is null or rejected is null),
    constraint scp_exemption_is_not_approved_by_its_requester check (
        approved is null or approved ->> 'by' <> requested_by
    )
) strict;

-- Those at work: each pass over the organization asks for them.
create index scp_exemption_at_work on scp_exemption (expires_at) where approved is not null and ended_at is null;

create trigger scp_exemption_is_not_removed before delete on scp_exemption
begin
    select raise(abort, 'exemptions are never removed');
end;
