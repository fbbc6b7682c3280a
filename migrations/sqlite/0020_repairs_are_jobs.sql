-- Repairs of many runs are carried out by background jobs; those under way get theirs, with the repair's own id.
INSERT INTO jobs (id, organisation, queue, state, not_before, max_attempts, created_at, unique_key, input)
    SELECT id, organisation, 'bulk_repair', 'pending', next_at, 4294967295, created_at, name, '{"repair":"' || name || '"}'
    FROM (SELECT *, lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4)
        || '-' || substr(hex(id), 21)) AS name FROM bulk_repairs WHERE ended_at IS NULL) AS under_way;
DROP INDEX bulk_repairs_open;
