-- The ledger's questions in SQL.  A day reads '2026-01-15'; `since` is '1970-01-01' for everything and `until` the last day.
-- A category holds those below it: 'user.contact' holds 'user.contact.email'; '' is any.

-- The first day whose records can have reached the vendor on `since` or later (weir-blast(1)).
CREATE OR REPLACE VIEW weir_reach AS
SELECT least({since:Date}, if(notes = 0, (SELECT min(day) FROM weir_chunk), toDate(newest))) AS day
FROM (
    SELECT count() AS notes, max(at) AS newest
    FROM weir_record
    WHERE what = 'arrived' AND vendor = {vendor:String} AND day < {since:Date}
);

-- Who, as a bitmap for each range of 65,536 identifiers: what the vendor attested to have deleted is taken off what it had by then.
CREATE OR REPLACE VIEW weir_blast AS
WITH
    asked AS (
        SELECT `set` FROM weir_set
        WHERE kind IN ('exposure', 'measured') AND name = {vendor:String}
          AND ({category:String} = '' OR `set` IN (
              SELECT `set` FROM weir_field
              WHERE category = {category:String} OR startsWith(category, concat({category:String}, '.')) OR path = '(unknown)'))
    ),
    had AS (
        SELECT chunk, day, generation, groupBitmapMergeState(ids) AS ids
        FROM weir_chunk
        WHERE `set` IN (SELECT `set` FROM asked) AND day BETWEEN {from:Date} AND {until:Date}
        GROUP BY chunk, day, generation
    ),
    gone AS (
        SELECT chunk, day, generation, groupBitmapMergeState(ids) AS ids
        FROM weir_chunk
        WHERE `set` IN (SELECT `set` FROM weir_set WHERE kind = 'deleted' AND name = {vendor:String})
          AND day <= {until:Date} AND ({since:Date} = '1970-01-01' OR day < {since:Date})
        GROUP BY chunk, day, generation
    ),
    taken AS (
        SELECT had.chunk AS chunk, had.day AS day, had.generation AS generation, groupBitmapOrState(gone.ids) AS gone_ids
        FROM had INNER JOIN gone ON had.chunk = gone.chunk
        WHERE (gone.day, gone.generation) >= (had.day, had.generation)
        GROUP BY chunk, day, generation
    )
SELECT chunk, groupBitmapOrState(ids) AS ids
FROM (
    SELECT had.chunk AS chunk, had.ids AS ids FROM had
    WHERE (had.chunk, had.day, had.generation) NOT IN (SELECT chunk, day, generation FROM taken)
    UNION ALL
    SELECT had.chunk AS chunk, bitmapAndnot(had.ids, taken.gone_ids) AS ids
    FROM had INNER JOIN taken ON had.chunk = taken.chunk AND had.day = taken.day AND had.generation = taken.generation
)
GROUP BY chunk;

-- Those of whom the country was ever seen, all identifiers of such a person; 'unknown': of whom none was.
CREATE OR REPLACE VIEW weir_jurisdiction AS
WITH
    seen AS (
        SELECT chunk, name, groupBitmapMergeState(ids) AS ids
        FROM weir_chunk INNER JOIN weir_set ON weir_chunk.`set` = weir_set.`set`
        WHERE kind = 'attribute' AND startsWith(name, 'jurisdiction:')
        GROUP BY chunk, name
    ),
    linked AS (
        SELECT DISTINCT name, p.person AS person
        FROM seen INNER JOIN weir_person AS p ON seen.chunk = intDiv(p.id, 65536)
        WHERE bitmapContains(seen.ids, p.id)
    ),
    wide AS (
        SELECT chunk, name, ids FROM seen
        UNION ALL
        SELECT toUInt16(intDiv(p.id, 65536)) AS chunk, name, groupBitmapState(p.id) AS ids
        FROM linked INNER JOIN weir_person AS p ON linked.person = p.person
        GROUP BY chunk, name
    ),
    meant AS (
        SELECT chunk, groupBitmapOrState(ids) AS ids FROM wide
        WHERE name = concat('jurisdiction:', if({jurisdiction:String} = 'unknown', '?', {jurisdiction:String}))
        GROUP BY chunk
    ),
    other AS (
        SELECT chunk, groupBitmapOrState(ids) AS ids FROM wide
        WHERE {jurisdiction:String} = 'unknown' AND name != 'jurisdiction:?'
        GROUP BY chunk
    )
SELECT meant.chunk AS chunk, meant.ids AS ids FROM meant WHERE meant.chunk NOT IN (SELECT chunk FROM other)
UNION ALL
SELECT meant.chunk AS chunk, bitmapAndnot(meant.ids, other.ids) AS ids FROM meant INNER JOIN other ON meant.chunk = other.chunk;
