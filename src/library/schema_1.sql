-- Paths are the bytes that the system uses, so that a name which is not UTF-8 is kept.
CREATE TABLE track (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    title TEXT NOT NULL,
    artist TEXT,
    licence TEXT,
    duration_s REAL NOT NULL DEFAULT 0,
    loudness_lufs REAL,
    tempo_bpm REAL,
    major INTEGER,
    tonic INTEGER,
    energy REAL NOT NULL DEFAULT 0,
    brightness_hz REAL NOT NULL DEFAULT 0,
    has_vocals INTEGER NOT NULL DEFAULT 0,
    peaks BLOB NOT NULL DEFAULT x'',
    favourite INTEGER NOT NULL DEFAULT 0,
    hidden INTEGER NOT NULL DEFAULT 0,
    missing INTEGER NOT NULL DEFAULT 0,
    problem TEXT
) STRICT;

CREATE TABLE tag (
    track_id INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (track_id, tag)
) STRICT, WITHOUT ROWID;

-- What makes embeddings: a pack's embedding identity.
CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    embedding_id TEXT NOT NULL UNIQUE
) STRICT;

-- A track that is completely embedded by a model.
CREATE TABLE embedded (
    track_id INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    model_id INTEGER NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    songs TEXT NOT NULL,
    PRIMARY KEY (track_id, model_id)
) STRICT, WITHOUT ROWID;

-- One row a 32 s window; vector is little-endian f32, d_E values.
CREATE TABLE track_window (
    id INTEGER PRIMARY KEY,
    model_id INTEGER NOT NULL,
    track_id INTEGER NOT NULL,
    start_s REAL NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (model_id, track_id, start_s),
    FOREIGN KEY (track_id, model_id) REFERENCES embedded (track_id, model_id) ON DELETE CASCADE
) STRICT;

CREATE INDEX window_of_track ON track_window (track_id, model_id);

-- Little-endian f16, 72 x 128 values; apart from the vectors, which are read often and all at once.
CREATE TABLE vggish (
    window_id INTEGER PRIMARY KEY REFERENCES track_window (id) ON DELETE CASCADE,
    frames BLOB NOT NULL
) STRICT;
