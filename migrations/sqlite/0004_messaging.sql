-- What is said: deliveries as they came, conversations, messages, statuses, consent.

-- The raw body of each delivery, before anything was understood of it. Written in the same transaction as its effects.
CREATE TABLE raw_deliveries (
    organisation  BLOB    NOT NULL,
    id            BLOB    NOT NULL CHECK (length(id) = 16),
    connection_id BLOB    NOT NULL CHECK (length(connection_id) = 16),
    connector     TEXT    NOT NULL,
    received_at   INTEGER NOT NULL,
    -- Providers repeat a delivery until it is answered: the same bytes are kept once.
    digest        BLOB    NOT NULL CHECK (length(digest) = 16),
    body          BLOB    NOT NULL,
    -- Why nobody could be found to take it; NULL: it was taken.
    quarantined   TEXT,
    PRIMARY KEY (organisation, id)
) STRICT;
CREATE UNIQUE INDEX raw_deliveries_digest ON raw_deliveries (organisation, connection_id, digest);
CREATE INDEX raw_deliveries_quarantined ON raw_deliveries (organisation, id) WHERE quarantined IS NOT NULL;

CREATE TABLE conversations (
    organisation     BLOB    NOT NULL,
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    contact_id       BLOB    NOT NULL,
    channel          TEXT    NOT NULL,
    connection_id    BLOB    NOT NULL CHECK (length(connection_id) = 16),
    status           TEXT    NOT NULL CHECK (status IN ('open', 'closed')),
    assigned_user    BLOB,
    assigned_team    TEXT,
    unread           INTEGER NOT NULL DEFAULT 0,
    -- Opens the provider's window (MESSAGING-POLICY R1); the provider's own time, never later than ours.
    last_inbound_at  INTEGER,
    last_outbound_at INTEGER,
    -- What the inbox sorts by and shows.
    last_message_at  INTEGER NOT NULL,
    last_text        TEXT    NOT NULL DEFAULT '',
    opened_at        INTEGER NOT NULL,
    closed_at        INTEGER,
    PRIMARY KEY (organisation, id),
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id)
) STRICT;
-- One open conversation for a contact on a connection: two deliveries at once cannot open two.
CREATE UNIQUE INDEX conversations_open ON conversations (organisation, contact_id, connection_id) WHERE status = 'open';
CREATE INDEX conversations_of ON conversations (organisation, contact_id, id);
-- The inbox: few are open, many are closed.
CREATE INDEX conversations_inbox ON conversations (organisation, id) WHERE status = 'open';
CREATE INDEX conversations_of_user ON conversations (organisation, assigned_user, id) WHERE assigned_user IS NOT NULL;

CREATE TABLE messages (
    organisation    BLOB    NOT NULL,
    id              BLOB    NOT NULL CHECK (length(id) = 16),
    conversation_id BLOB    NOT NULL,
    contact_id      BLOB    NOT NULL,
    channel         TEXT    NOT NULL,
    connection_id   BLOB    NOT NULL CHECK (length(connection_id) = 16),
    direction       TEXT    NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    kind            TEXT    NOT NULL CHECK (kind IN ('text', 'image', 'audio', 'video', 'document', 'location', 'contacts', 'interactive', 'template', 'reaction', 'sticker', 'unsupported')),
    text            TEXT    NOT NULL DEFAULT '',
    attachments     TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(attachments)),
    -- The provider's id, once known.
    external_id     TEXT,
    -- The button or list row that was chosen.
    reply_id        TEXT,
    -- The provider's id of the message it answers or reacts to.
    context_id      TEXT,
    status          TEXT    NOT NULL CHECK (status IN ('received', 'queued', 'held', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown')),
    -- { "code", "message", "provider_code" }
    error           TEXT    CHECK (json_valid(error)),
    -- What the messaging policy decided, for what we send.
    verdict         TEXT    CHECK (json_valid(verdict)),
    author_kind     TEXT    NOT NULL CHECK (author_kind IN ('contact', 'user', 'automation', 'ai')),
    author_id       TEXT,
    at              INTEGER NOT NULL,
    run_id          BLOB,
    step            TEXT,
    -- The idempotency key of the step that sends it: its attempts share one row.
    send_key        TEXT,
    edited_at       INTEGER,
    revoked_at      INTEGER,
    PRIMARY KEY (organisation, id),
    FOREIGN KEY (organisation, conversation_id) REFERENCES conversations (organisation, id)
) STRICT;
-- A page of a conversation is one range; ids rise with intake.
CREATE INDEX messages_of ON messages (organisation, conversation_id, id);
-- The provider's id is unique on a connection: a repeated delivery makes no second message.
CREATE UNIQUE INDEX messages_external ON messages (organisation, connection_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX messages_send_key ON messages (organisation, send_key) WHERE send_key IS NOT NULL;

-- Statuses seen, for dedupe on (id, status), and for messages whose provider id we learn after their status.
CREATE TABLE message_statuses (
    organisation  BLOB    NOT NULL,
    connection_id BLOB    NOT NULL CHECK (length(connection_id) = 16),
    external_id   TEXT    NOT NULL,
    status        TEXT    NOT NULL CHECK (status IN ('sent', 'delivered', 'read', 'failed')),
    at            INTEGER NOT NULL,
    error         TEXT    CHECK (json_valid(error)),
    PRIMARY KEY (organisation, connection_id, external_id, status)
) STRICT, WITHOUT ROWID;

-- What a contact agreed to or refused, with its proof. The latest word counts; earlier ones stay.
CREATE TABLE consents (
    organisation BLOB    NOT NULL,
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    contact_id   BLOB    NOT NULL,
    channel      TEXT    NOT NULL,
    -- `marketing`, `all` …
    category     TEXT    NOT NULL,
    granted      INTEGER NOT NULL CHECK (granted IN (0, 1)),
    at           INTEGER NOT NULL,
    -- Where it was said: `message`, `provider` …
    source       TEXT    NOT NULL,
    -- The words themselves.
    text         TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (organisation, contact_id, id),
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_of ON consents (organisation, contact_id, channel, category, at);

-- What came in that makes no row of its own and is repeated by providers: edits, revocations, preferences, changes of
-- address, by the provider's id for them.
CREATE TABLE deliveries_seen (
    organisation  BLOB    NOT NULL,
    connection_id BLOB    NOT NULL CHECK (length(connection_id) = 16),
    dedupe_id     TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (organisation, connection_id, dedupe_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_seen_old ON deliveries_seen (at);
