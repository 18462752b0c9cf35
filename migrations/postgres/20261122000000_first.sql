-- What Landfall remembers. Times are milliseconds since 1970, ids are text. What follows from other columns, such as
-- whether a cell is in sync, is not stored.

-- What a worker takes a lease on: one account, or the organization.
create table target (
    id text not null primary key,
    kind text not null constraint target_kind check (kind in ('organization', 'account')),
    -- Raised whenever something else is wanted of it; observed_generation follows when a whole pass for it was completed.
    generation bigint not null default 1,
    observed_generation bigint not null default 0,
    -- When it is worth looking again; while a lease is held, when that ends.
    due_at bigint not null,
    -- The earliest wake-up that came during the lease.
    woken_at bigint,
    -- Passes since the last one that ended without an error.
    attempts bigint not null default 0,
    leased_by text,
    leased_until bigint,
    -- Raised with every lease: a result that carries an older number changes nothing.
    fence bigint not null default 0,
    paused_at bigint,
    paused_by text,
    paused_reason text,
    last_error jsonb,
    constraint target_kind_fits_id check ((kind = 'organization') = (id = 'organization')),
    constraint target_lease_is_whole check ((leased_by is null) = (leased_until is null)),
    constraint target_pause_is_whole check (
        (paused_at is null) = (paused_reason is null) and (paused_at is null) = (paused_by is null)
    ),
    constraint target_generation_is_not_overtaken check (observed_generation <= generation)
);

-- Claiming, and when the next target is due.
create index target_due on target (due_at) where paused_at is null;

-- A request and the account that came of it: one row from the request on, so that history never has to be joined up.
create table account (
    id text not null primary key constraint account_is_target references target (id),
    -- AWS's number, once there is one.
    account_id text constraint account_id_is_unique unique,
    name text not null,
    -- The root e-mail.
    email text not null,
    owner_email text not null,
    organizational_unit text not null,
    cost_center text not null,
    environment text not null,
    justification text not null,
    tags jsonb not null,
    purpose text not null constraint account_purpose check (purpose in ('application', 'log_archive', 'security')),
    requested_by text not null,
    requested_at bigint not null,
    phase text not null constraint account_phase check (phase in (
        'requested', 'awaiting_approval', 'creating', 'placing', 'baselining', 'governed', 'closing', 'closed',
        'rejected', 'failed'
    )),
    phase_since bigint not null,
    -- Written before CreateAccount is called: from here on the account may exist.
    creation_intended_at bigint,
    -- The car- id of AWS's answer.
    creation_status_id text,
    failure jsonb,
    governed_at bigint,
    constraint account_id_has_twelve_digits check (account_id is null or length(account_id) = 12),
    constraint account_status_follows_intent check (creation_status_id is null or creation_intended_at is not null),
    constraint account_exists_from_placing_on check (
        account_id is not null
        or phase in ('requested', 'awaiting_approval', 'creating', 'rejected', 'failed')
    ),
    constraint account_ended_with_reason check ((phase in ('rejected', 'failed')) = (failure is not null)),
    constraint account_governed_since check (phase <> 'governed' or governed_at is not null)
);

-- A root e-mail belongs to one account in all of AWS; requests that came to nothing give theirs back. Case does not matter.
create unique index account_email_is_unique on account (lower(email)) where phase not in ('rejected', 'failed');
-- How many creations are in flight.
create index account_creating on account (creation_intended_at) where phase = 'creating';
-- The foundation accounts.
create index account_purpose_is on account (purpose) where purpose <> 'application';
-- The list of requests by phase, newest first.
create index account_by_phase on account (phase, id);
-- The list of requests by organizational unit, newest first.
create index account_by_organizational_unit on account (organizational_unit, id);
-- The list of requests by owner, newest first.
create index account_by_owner on account (owner_email, id);

-- When CreateAccount was about to be called, of all requests together: the token bucket that AWS keeps of us. A row of
-- its own because an account's intent is forgotten when its creation begins anew, and the bucket must not forget.
create table create_call (
    target_id text not null constraint create_call_of_target references target (id),
    called_at bigint not null
);

-- The calls of the last moments, and forgetting older ones.
create index create_call_by_time on create_call (called_at);

-- One control on one target in one Region: what was last seen.
create table cell (
    target_id text not null constraint cell_of_target references target (id),
    region text not null,
    control text not null,
    revision text not null,
    known boolean not null,
    observed jsonb,
    observed_at bigint,
    drift jsonb not null,
    drifted_since bigint,
    waiting_for text,
    error jsonb,
    attempts bigint not null,
    due_at bigint not null,
    constraint cell_key primary key (target_id, region, control),
    constraint cell_observed_with_time check (observed is null or observed_at is not null)
);

-- What differs now, across all targets, oldest first.
create index cell_drifted on cell (drifted_since, target_id) where drifted_since is not null;

-- History. Rows are added, never changed.
create table event (
    seq bigint generated always as identity primary key,
    at bigint not null,
    target_id text not null constraint event_of_target references target (id),
    kind text not null,
    region text,
    control text,
    -- Who did it: a person's name, or Landfall itself.
    actor text not null,
    sentence text not null,
    detail jsonb not null
);

-- A target's history from a place on.
create index event_by_target on event (target_id, seq);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'events are never changed or removed';
end
$$;

create trigger event_is_append_only before update or delete or truncate on event
for each statement execute function refuse_change();

-- The CMDB: every resource that Landfall created or governs.
create table asset (
    -- The ARN.
    id text not null primary key,
    type text not null,
    account_id text not null,
    region text,
    name text not null,
    -- The last part of the ARN, lower case: what people paste when they ask whose something is.
    resource_id text not null,
    -- The name in lower case, for searches.
    name_lower text not null,
    owner text not null,
    tags jsonb not null,
    configuration jsonb not null,
    first_seen_at bigint not null,
    last_seen_at bigint not null,
    -- Who reports it: a cell of a target. What it no longer reports is gone.
    target_id text not null constraint asset_of_target references target (id),
    source text not null,
    gone_at bigint,
    constraint asset_seen_in_order check (first_seen_at <= last_seen_at)
);

-- What a source reported before.
create index asset_by_source on asset (target_id, source);
-- The list of assets by account, by type, by owner, by name, each in the order of ARNs.
create index asset_by_account on asset (account_id, id);
create index asset_by_type on asset (type, id);
create index asset_by_owner on asset (owner, id);
create index asset_by_name on asset (name_lower, id);
-- Whose is this resource id?
create index asset_by_resource_id on asset (resource_id);

-- An asset's configuration from a moment on.
create table asset_version (
    asset_id text not null constraint asset_version_of_asset references asset (id),
    seen_at bigint not null,
    -- Nothing when it was seen to be gone.
    configuration jsonb,
    constraint asset_version_key primary key (asset_id, seen_at)
);

-- Bearer tokens: only their hash.
create table api_token (
    id text not null primary key,
    -- The token's first characters, by which its owner recognizes it.
    prefix text not null,
    hash text not null constraint api_token_hash_is_unique unique,
    name text not null,
    role text not null,
    created_at bigint not null,
    expires_at bigint,
    revoked_at bigint
);

-- What was answered to an Idempotency-Key. A request for an account is remembered by the account's id, written together
-- with the account; every other answer by its status and body.
create table idempotency (
    principal text not null,
    key text not null,
    -- A hash of the call: the same key for something else is a mistake of the caller.
    fingerprint text not null,
    target_id text constraint idempotency_of_target references target (id),
    status bigint,
    body jsonb,
    created_at bigint not null,
    constraint idempotency_key primary key (principal, key),
    constraint idempotency_has_one_answer check (
        (target_id is null) = (status is not null) and (status is null) = (body is null)
    )
);

-- Forgetting old ones.
create index idempotency_by_time on idempotency (created_at);

-- The servers that work on this database, and when each was last alive: the rate budget is shared among them.
create table replica (
    id text not null primary key,
    seen_at bigint not null
);
