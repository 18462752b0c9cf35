-- Which service control policies each root or organizational unit is to have while a rollout brings others.

-- What each revision says, so that a target can keep one, or get one back, that no file says any more.
create table scp_revision (
    revision text not null primary key,
    -- Documents, and where they are attached.
    content text not null constraint scp_revision_content_is_json check (json_valid(content)),
    first_seen_at integer not null
) strict;

-- A target that has something else than what the last rollout brought that was done.
create table scp_pin (
    -- An organizational unit's path, or `/` for the root.
    scp_target text not null primary key,
    revision text not null constraint scp_pin_to_known_revision references scp_revision (revision),
    rollout_id text not null constraint scp_pin_of_rollout references rollout (id),
    -- Null where nobody noticed.
    wave text constraint scp_pin_wave check (wave in ('canary', 'second', 'rest')),
    pinned_at integer not null,
    -- When AWS was first seen to have it.
    seen_at integer
) strict;
