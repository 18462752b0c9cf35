-- The rest of an account's life: what AWS says of it, what people want done with it, and pauses that end by themselves.

-- What Organizations said of the account last, and since when it says so.
alter table account add column aws_state text not null default 'active' constraint account_aws_state check (aws_state in (
    'active', 'pending_activation', 'suspended', 'pending_closure', 'closed', 'left'
));
alter table account add column aws_state_since bigint;
-- Whether it was there before Landfall was asked for it.
alter table account add column enrolled boolean not null default false;

-- When a pause ends by itself.
alter table target add column paused_until bigint;

-- The next pause to end by itself.
create index target_paused_until on target (paused_until) where paused_until is not null;

-- What somebody wants done with an account and another has to agree to: at most one thing at a time.
create table wish (
    target_id text not null primary key constraint wish_of_account references account (id),
    action text not null constraint wish_action check (action in ('move', 'close')),
    -- Where to, of a move.
    organizational_unit text,
    reason text not null,
    asked_by text not null,
    asked_at bigint not null,
    -- Who agreed; a move that was agreed to is done and forgotten.
    agreed_by text,
    agreed_at bigint,
    -- What AWS makes it wait for.
    waits_for text,
    constraint wish_move_has_a_goal check ((action = 'move') = (organizational_unit is not null)),
    constraint wish_agreement_is_whole check ((agreed_by is null) = (agreed_at is null))
);

-- When CloseAccount was about to be called, of all accounts together: AWS counts them over 30 days.
create table close_call (
    target_id text not null constraint close_call_of_account references account (id),
    called_at bigint not null
);

-- The calls of the last 30 days.
create index close_call_by_time on close_call (called_at);
