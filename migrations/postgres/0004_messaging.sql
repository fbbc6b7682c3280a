-- What is said: deliveries as they came, conversations, messages, statuses, consent.

-- The raw body of each delivery, before anything was understood of it. Written in the same transaction as its effects.
CREATE TABLE raw_deliveries (
    organisation  UUID    NOT NULL,
    id            UUID    NOT NULL,
    connection_id UUID    NOT NULL,
    connector     TEXT COLLATE "C"    NOT NULL,
    received_at   BIGINT NOT NULL,
    -- Providers repeat a delivery until it is answered: the same bytes are kept once.
    digest        BYTEA    NOT NULL CHECK (length(digest) = 16),
    body          BYTEA    NOT NULL,
    -- Why nobody could be found to take it; NULL: it was taken.
    quarantined   TEXT COLLATE "C",
    PRIMARY KEY (organisation, id)
);
CREATE UNIQUE INDEX raw_deliveries_digest ON raw_deliveries (organisation, connection_id, digest);
CREATE INDEX raw_deliveries_quarantined ON raw_deliveries (organisation, id) WHERE quarantined IS NOT NULL;

CREATE TABLE conversations (
    organisation     UUID    NOT NULL,
    id               UUID    NOT NULL,
    contact_id       UUID    NOT NULL,
    channel          TEXT COLLATE "C"    NOT NULL,
    connection_id    UUID    NOT NULL,
    status           TEXT COLLATE "C"    NOT NULL CHECK (status IN ('open', 'closed')),
    assigned_user    UUID,
    assigned_team    TEXT COLLATE "C",
    unread           BIGINT NOT NULL DEFAULT 0,
    -- Opens the provider's window (MESSAGING-POLICY R1); the provider's own time, never later than ours.
    last_inbound_at  BIGINT,
    last_outbound_at BIGINT,
    -- What the inbox sorts by and shows.
    last_message_at  BIGINT NOT NULL,
    last_text        TEXT COLLATE "C"    NOT NULL DEFAULT '',
    opened_at        BIGINT NOT NULL,
    closed_at        BIGINT,
    PRIMARY KEY (organisation, id),
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id)
);
-- One open conversation for a contact on a connection: two deliveries at once cannot open two.
CREATE UNIQUE INDEX conversations_open ON conversations (organisation, contact_id, connection_id) WHERE status = 'open';
CREATE INDEX conversations_of ON conversations (organisation, contact_id, id);
-- The inbox: few are open, many are closed.
CREATE INDEX conversations_inbox ON conversations (organisation, id) WHERE status = 'open';
CREATE INDEX conversations_of_user ON conversations (organisation, assigned_user, id) WHERE assigned_user IS NOT NULL;

CREATE TABLE messages (
    organisation    UUID    NOT NULL,
    id              UUID    NOT NULL,
    conversation_id UUID    NOT NULL,
    contact_id      UUID    NOT NULL,
    channel         TEXT COLLATE "C"    NOT NULL,
    connection_id   UUID    NOT NULL,
    direction       TEXT COLLATE "C"    NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    kind            TEXT COLLATE "C"    NOT NULL CHECK (kind IN ('text', 'image', 'audio', 'video', 'document', 'location', 'contacts', 'interactive', 'template', 'reaction', 'sticker', 'unsupported')),
    text            TEXT COLLATE "C"    NOT NULL DEFAULT '',
    attachments     TEXT COLLATE "C"    NOT NULL DEFAULT '[]' CHECK (attachments::json IS NOT NULL),
    -- The provider's id, once known.
    external_id     TEXT COLLATE "C",
    -- The button or list row that was chosen.
    reply_id        TEXT COLLATE "C",
    -- The provider's id of the message it answers or reacts to.
    context_id      TEXT COLLATE "C",
    status          TEXT COLLATE "C"    NOT NULL CHECK (status IN ('received', 'queued', 'held', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown')),
    -- { "code", "message", "provider_code" }
    error           TEXT COLLATE "C"    CHECK (error IS NULL OR error::json IS NOT NULL),
    -- What the messaging policy decided, for what we send.
    verdict         TEXT COLLATE "C"    CHECK (verdict IS NULL OR verdict::json IS NOT NULL),
    author_kind     TEXT COLLATE "C"    NOT NULL CHECK (author_kind IN ('contact', 'user', 'automation', 'ai')),
    author_id       TEXT COLLATE "C",
    at              BIGINT NOT NULL,
    run_id          UUID,
    step            TEXT COLLATE "C",
    -- The idempotency key of the step that sends it: its attempts share one row.
    send_key        TEXT COLLATE "C",
    edited_at       BIGINT,
    revoked_at      BIGINT,
    PRIMARY KEY (organisation, id),
    FOREIGN KEY (organisation, conversation_id) REFERENCES conversations (organisation, id)
);
-- A page of a conversation is one range; ids rise with intake.
CREATE INDEX messages_of ON messages (organisation, conversation_id, id);
-- The provider's id is unique on a connection: a repeated delivery makes no second message.
CREATE UNIQUE INDEX messages_external ON messages (organisation, connection_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX messages_send_key ON messages (organisation, send_key) WHERE send_key IS NOT NULL;

-- Statuses seen, for dedupe on (id, status), and for messages whose provider id we learn after their status.
CREATE TABLE message_statuses (
    organisation  UUID    NOT NULL,
    connection_id UUID    NOT NULL,
    external_id   TEXT COLLATE "C"    NOT NULL,
    status        TEXT COLLATE "C"    NOT NULL CHECK (status IN ('sent', 'delivered', 'read', 'failed')),
    at            BIGINT NOT NULL,
    error         TEXT COLLATE "C"    CHECK (error IS NULL OR error::json IS NOT NULL),
    PRIMARY KEY (organisation, connection_id, external_id, status)
);

-- What a contact agreed to or refused, with its proof. The latest word counts; earlier ones stay.
CREATE TABLE consents (
    organisation UUID    NOT NULL,
    id           UUID    NOT NULL,
    contact_id   UUID    NOT NULL,
    channel      TEXT COLLATE "C"    NOT NULL,
    -- `marketing`, `all` …
    category     TEXT COLLATE "C"    NOT NULL,
    granted      BOOLEAN NOT NULL,
    at           BIGINT NOT NULL,
    -- Where it was said: `message`, `provider` …
    source       TEXT COLLATE "C"    NOT NULL,
    -- The words themselves.
    text         TEXT COLLATE "C"    NOT NULL DEFAULT '',
    PRIMARY KEY (organisation, contact_id, id),
    FOREIGN KEY (organisation, contact_id) REFERENCES contacts (organisation, id) ON DELETE CASCADE
);
CREATE INDEX consents_of ON consents (organisation, contact_id, channel, category, at);

-- What came in that makes no row of its own and is repeated by providers: edits, revocations, preferences, changes of
-- address, by the provider's id for them.
CREATE TABLE deliveries_seen (
    organisation  UUID    NOT NULL,
    connection_id UUID    NOT NULL,
    dedupe_id     TEXT COLLATE "C"    NOT NULL,
    at            BIGINT NOT NULL,
    PRIMARY KEY (organisation, connection_id, dedupe_id)
);
CREATE INDEX deliveries_seen_old ON deliveries_seen (at);
