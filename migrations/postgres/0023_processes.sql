-- What the machine on which a node runs calls its process: whoever starts there knows whether that one has ended [4].
ALTER TABLE nodes ADD COLUMN process TEXT NOT NULL DEFAULT '';
