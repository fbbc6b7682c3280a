-- Who we know: contacts, their addresses, identities, tags, timeline.

CREATE TABLE contacts (
    organisation UUID    NOT NULL REFERENCES organisations (id),
    id           UUID    NOT NULL,
    -- The name as one text is what most sources give; the parts are kept when they are known.
    name         TEXT COLLATE "C"    NOT NULL DEFAULT '',
    first_name   TEXT COLLATE "C"    NOT NULL DEFAULT '',
    last_name    TEXT COLLATE "C"    NOT NULL DEFAULT '',
    -- IANA name; NULL: the organisation's counts.
    timezone     TEXT COLLATE "C",
    -- BCP 47.
    language     TEXT COLLATE "C",
    -- Whatever the organisation keeps about people: { "company_size": 12 }.
    fields       TEXT COLLATE "C"    NOT NULL DEFAULT '{}' CHECK (fields::json IS NOT NULL),
    -- What they refused: ["whatsapp:marketing", "whatsapp:all"]. When, how and in which words is in `consents`.
    opt_outs     TEXT COLLATE "C"    NOT NULL DEFAULT '[]' CHECK (opt_outs::json IS NOT NULL),
    score        BIGINT NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    -- Set when the person was erased: the id stays, so that runs and messages still point at something.
    deleted_at   BIGINT,
    -- Ids rise with time: a list by id descending is newest first and needs no other index.
    PRIMARY KEY (organisation, id)
);

-- Phones (E.164) and e-mails (lower case). Not unique over contacts: families share a phone. That exactly one contact has
-- an address is checked where it matters, when an upsert matches by it.
CREATE TABLE contact_addresses (
    organisation UUID    NOT NULL,
    kind         TEXT COLLATE "C"    NOT NULL CHECK (kind IN ('email', 'phone')),
    value        TEXT COLLATE "C"    NOT NULL CHECK (value <> ''),
    contact_id   UUID    NOT NULL,
    -- 0 is the main one.
    position     BIGINT NOT NULL,
    PRIMARY KEY (organisation, kind, value, contact_id),
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id) ON DELETE CASCADE
);
-- Holds every column (the key's are part of it): without statistics SQLite prefers an index that needs no second look-up, and
-- would else read all addresses of the organisation.
CREATE INDEX contact_addresses_of ON contact_addresses (organisation, contact_id, position);

-- A contact's address on one channel account (MESSAGING-POLICY R2: the key is the account and the id there; a phone number
-- is an attribute and may be absent).
CREATE TABLE identities (
    organisation  UUID    NOT NULL,
    channel       TEXT COLLATE "C"    NOT NULL,
    connection_id UUID    NOT NULL,
    external_id   TEXT COLLATE "C"    NOT NULL CHECK (external_id <> ''),
    contact_id    UUID    NOT NULL,
    -- Which of several to write to first: the provider's own order, 0 is strongest.
    strength      BIGINT NOT NULL DEFAULT 0,
    username      TEXT COLLATE "C",
    created_at    BIGINT NOT NULL,
    -- Set when the person moved to another address: history stays readable, nothing is sent there any more.
    replaced_at   BIGINT,
    PRIMARY KEY (organisation, channel, connection_id, external_id),
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id) ON DELETE CASCADE
);
-- Holds every column that is read with a contact, for the same reason.
CREATE INDEX identities_of ON identities (organisation, contact_id, strength, username, replaced_at);

CREATE TABLE contact_tags (
    organisation UUID    NOT NULL,
    tag          TEXT COLLATE "C"    NOT NULL CHECK (tag <> ''),
    contact_id   UUID    NOT NULL,
    added_at     BIGINT NOT NULL,
    PRIMARY KEY (organisation, tag, contact_id),
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id) ON DELETE CASCADE
);
CREATE INDEX contact_tags_of ON contact_tags (organisation, contact_id);

-- One row for each thing that happened to a contact; never changed, only erased with the person.
CREATE TABLE timeline (
    organisation UUID    NOT NULL,
    contact_id   UUID    NOT NULL,
    id           UUID    NOT NULL,
    at           BIGINT NOT NULL,
    kind         TEXT COLLATE "C"    NOT NULL CHECK (kind IN ('message', 'note', 'field', 'tag', 'deal', 'task', 'consent', 'run', 'event')),
    text         TEXT COLLATE "C"    NOT NULL,
    author_kind  TEXT COLLATE "C"    NOT NULL,
    author_id    TEXT COLLATE "C",
    -- The run and step that did it, when one did.
    run_id       UUID,
    step         TEXT COLLATE "C",
    -- The record it is about (a message's id …).
    subject_id   UUID,
    -- A page of one contact's timeline is one range of this key.
    PRIMARY KEY (organisation, contact_id, id),
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id) ON DELETE CASCADE
);
