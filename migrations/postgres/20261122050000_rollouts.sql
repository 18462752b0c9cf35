-- Which revision of which baseline each account is to have, and how a new one reaches them.

-- What each revision says, so that an account can keep one, or get one back, that no file says any more.
create table baseline_revision (
    name text not null,
    revision text not null,
    -- Each control's entry.
    content jsonb not null,
    first_seen_at bigint not null,
    constraint baseline_revision_key primary key (name, revision)
);

-- What a target is to have.
create table pin (
    target_id text not null primary key constraint pin_of_target references target (id),
    baseline text not null,
    revision text not null,
    pinned_at bigint not null,
    constraint pin_to_known_revision foreign key (baseline, revision) references baseline_revision (name, revision)
);

-- How many have which, and who.
create index pin_by_revision on pin (baseline, revision);

-- A change of what accounts are to have. The latest one has the highest id.
create table rollout (
    id text not null primary key,
    state text not null constraint rollout_state check (state in (
        'proposed', 'running', 'paused', 'stopped', 'rolling_back', 'rolled_back', 'done', 'superseded'
    )),
    -- The baseline and revision of each organizational unit.
    wanted jsonb not null,
    created_at bigint not null,
    changed_at bigint not null,
    -- Who brought it where it is, and why.
    changed_by text not null,
    reason text not null
);

-- What the last one wanted that was done.
create index rollout_by_state on rollout (state, id);

-- An account that a rollout pinned, in which wave, and whether it was whole before.
create table rollout_account (
    rollout_id text not null constraint rollout_account_of_rollout references rollout (id),
    target_id text not null constraint rollout_account_of_target references target (id),
    wave text not null constraint rollout_account_wave check (wave in ('canary', 'second', 'rest')),
    was_in_sync boolean not null,
    pinned_at bigint not null,
    constraint rollout_account_key primary key (rollout_id, target_id)
);
