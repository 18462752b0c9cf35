-- Cells of which nobody can tell whether they differ, although no drift is known: few, and counted with every list of drift.
create index cell_unseen on cell (target_id)
    where drifted_since is null and (not known or error is not null or waiting_for is not null);
