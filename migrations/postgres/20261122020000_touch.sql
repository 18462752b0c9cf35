-- The last change by somebody else that an event told of, for each cell that it may concern. It says who, and never what
-- is so: that is for whoever looks.
create table touch (
    target_id text not null constraint touch_of_target references target (id),
    region text not null,
    control text not null,
    -- The name of the call: DeleteDetector.
    event text not null,
    -- The ARN of who called.
    actor text not null,
    source_ip text,
    -- When it was called, by AWS's clock.
    at bigint not null,
    -- Whether the cell has yet to be made due.
    pending boolean not null,
    constraint touch_key primary key (target_id, region, control)
);

-- What a pass makes due.
create index touch_pending on touch (target_id) where pending;
-- Forgetting old ones.
create index touch_by_time on touch (at);
