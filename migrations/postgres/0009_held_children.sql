-- A held start whose run a step of another run waits for [25, 27].
ALTER TABLE held_starts ADD COLUMN parent_run UUID;
ALTER TABLE held_starts ADD COLUMN parent_step TEXT COLLATE "C";
