-- Write the documents of a batch of photos.
--
-- photos            bigint[]
-- A, B, C, D        text[] of the same length: folded words separated by blanks, fields by the gap word
-- gap               the gap word; it keeps positions apart and is taken out again at the end
--
-- Every text goes in twice, by itself and by its English stems, with a gap between the two. A photo that
-- was deleted meanwhile is left out, and a document that would not change is not written.
INSERT INTO search_searchdocument (photo_id, document, updated_at)
SELECT
    photo.id,
    ts_delete(
        setweight(to_tsvector('simple', a || gap) || to_tsvector('english', a || gap), 'A')
        || setweight(to_tsvector('simple', b || gap) || to_tsvector('english', b || gap), 'B')
        || setweight(to_tsvector('simple', c || gap) || to_tsvector('english', c || gap), 'C')
        || setweight(to_tsvector('simple', d || gap) || to_tsvector('english', d || gap), 'D'),
        ARRAY(SELECT DISTINCT unnest(tsvector_to_array(to_tsvector('simple', gap) || to_tsvector('english', gap))))
    ),
    clock_timestamp()
FROM unnest(%(photos)s::bigint[], %(A)s::text[], %(B)s::text[], %(C)s::text[], %(D)s::text[])
    AS given (photo_id, a, b, c, d)
CROSS JOIN (SELECT ' ' || %(gap)s::text AS gap) AS constant
JOIN library_photo AS photo ON photo.id = given.photo_id
ORDER BY photo.id
FOR KEY SHARE OF photo
ON CONFLICT (photo_id) DO UPDATE
    SET document = excluded.document, updated_at = excluded.updated_at
    WHERE search_searchdocument.document IS DISTINCT FROM excluded.document;
