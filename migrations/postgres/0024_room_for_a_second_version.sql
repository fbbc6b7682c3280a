-- A run's row is written when it starts and again when it waits or ends, and each time all its index entries are. Pages filled to the
-- brim would be split, or searched for dead entries, by nearly every one of the second writes: half of each is left free for them.
ALTER INDEX runs_pkey SET (fillfactor = 50);
ALTER INDEX runs_all SET (fillfactor = 50);
ALTER INDEX runs_workflow SET (fillfactor = 50);
ALTER INDEX runs_key SET (fillfactor = 50);
