-- One row a node: it rises whenever a shard of the node changes hands, whoever sees to that. A commit that relies on all that its
-- node owns locks and checks this one row instead of up to 256 leases [4].
CREATE TABLE fences (
    node BLOB NOT NULL PRIMARY KEY CHECK (length(node) = 16),
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER leases_raise_fence AFTER UPDATE OF epoch, node ON leases FOR EACH ROW
    WHEN OLD.node IS NOT NULL AND (OLD.node IS NOT NEW.node OR OLD.epoch <> NEW.epoch)
BEGIN
    UPDATE fences SET number = number + 1 WHERE node = OLD.node;
END;
