-- Plans: what would have to change in a scope, found by looking, kept, and applied only when somebody says so.

create table plan (
    id text not null primary key,
    -- What was asked to be looked at: accounts, organizational units, Regions, controls.
    scope jsonb not null,
    made_by text not null,
    made_at bigint not null,
    approved_by text,
    approved_at bigint,
    -- Who had it applied: once, and never again.
    applied_by text,
    applied_at bigint,
    constraint plan_approval_is_whole check ((approved_by is null) = (approved_at is null)),
    constraint plan_application_is_whole check ((applied_by is null) = (applied_at is null)),
    constraint plan_needs_two_to_be_approved check (approved_by <> made_by)
);

-- Forgetting old ones that nobody had applied.
create index plan_by_time on plan (made_at) where applied_at is null;

-- A target that a plan looks at, and how far it has come.
create table plan_target (
    plan_id text not null constraint plan_target_of_plan references plan (id) on delete cascade,
    target_id text not null constraint plan_target_of_target references target (id),
    stage text not null constraint plan_target_stage check (stage in (
        'looking', 'planned', 'unseen', 'applying', 'applied', 'refused', 'failed'
    )),
    -- The baseline that it was compared with.
    baseline text,
    baseline_revision text,
    cells_in_sync bigint not null,
    -- Accepted deviations: they are not looked at.
    cells_waived bigint not null,
    -- From here on some of its changes may have been applied.
    begun_at bigint,
    -- Why it could not be looked at, was refused or failed.
    reason text,
    constraint plan_target_key primary key (plan_id, target_id)
);

-- The targets that wait for somebody to look at them, or to apply what was planned.
create index plan_target_waiting on plan_target (target_id) where stage in ('looking', 'applying');

-- A cell that a plan would change, or that could not be looked at.
create table plan_cell (
    plan_id text not null,
    target_id text not null,
    region text not null,
    control text not null,
    -- The desired state; nothing where it could not be told.
    revision text,
    -- A hash of what AWS had; nothing where it could not be looked at.
    observed text,
    changes jsonb not null,
    error jsonb,
    -- What became of the changes.
    outcome jsonb,
    constraint plan_cell_key primary key (plan_id, target_id, region, control),
    constraint plan_cell_of_target foreign key (plan_id, target_id)
        references plan_target (plan_id, target_id) on delete cascade,
    constraint plan_cell_seen_or_not check ((observed is null) = (error is not null))
);
