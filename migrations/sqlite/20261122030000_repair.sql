-- Repair on demand, and what a person's wish makes due at once.

-- The generation that a pass last tried in full. What was wanted since is worth trying now, whatever each cell waits for.
alter table target add column tried_generation integer not null default 0;

-- When somebody asked for a repair; cleared by the first look after it that finds the cell in sync.
alter table cell add column repair_asked_at integer;

-- What the cell must have, in the control's words; kept while it differs.
alter table cell add column desired text constraint cell_desired_is_json check (json_valid(desired));
