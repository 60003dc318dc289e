-- Which of these names somebody may know of: those of at least one photo that they may see.
--
-- Filled in by search.rights:
--   {eligible}      SELECT of the photos that may be found, their key as id
-- Parameters:
--   tags, categories, albums            keys of rows
--   makes, models                       cameras, two arrays of the same length
--   places, words                       names, folded words
--   hidden_roots                        names of files there, and of albums of such photos, do not count
--   most                                how many photos of each name are looked at: a name that only photos
--                                       beyond these have is not told
SELECT 'tag' AS kind, wanted.id::text AS key
FROM unnest(%(tags)s::bigint[]) AS wanted (id)
WHERE EXISTS (
    SELECT FROM (
        SELECT photo_id FROM library_detectedobject WHERE tag_id = wanted.id LIMIT %(most)s
    ) AS tried
    WHERE EXISTS (SELECT FROM ({eligible}) AS eligible (id) WHERE eligible.id = tried.photo_id)
)
UNION ALL
SELECT 'category', wanted.id::text
FROM unnest(%(categories)s::bigint[]) AS wanted (id)
WHERE EXISTS (
    SELECT FROM (
        SELECT photo_id FROM library_detectedobject WHERE category_id = wanted.id LIMIT %(most)s
    ) AS tried
    WHERE EXISTS (SELECT FROM ({eligible}) AS eligible (id) WHERE eligible.id = tried.photo_id)
)
UNION ALL
SELECT 'album', wanted.id::text
FROM unnest(%(albums)s::bigint[]) AS wanted (id)
WHERE EXISTS (
    SELECT FROM (
        SELECT photo_id FROM library_albumphoto WHERE album_id = wanted.id LIMIT %(most)s
    ) AS tried
    WHERE EXISTS (SELECT FROM ({eligible}) AS eligible (id) WHERE eligible.id = tried.photo_id)
      AND NOT EXISTS (
          SELECT FROM library_photofile AS file
          WHERE file.photo_id = tried.photo_id AND file.root_id = ANY (%(hidden_roots)s::bigint[])
      )
)
UNION ALL
SELECT 'camera', wanted.make || chr(10) || wanted.model
FROM unnest(%(makes)s::text[], %(models)s::text[]) AS wanted (make, model)
WHERE EXISTS (
    SELECT FROM (
        SELECT id AS photo_id FROM library_photo
        WHERE camera_make = wanted.make AND camera_model = wanted.model AND camera_model <> '' LIMIT %(most)s
    ) AS tried
    WHERE EXISTS (SELECT FROM ({eligible}) AS eligible (id) WHERE eligible.id = tried.photo_id)
)
UNION ALL
SELECT 'place', wanted.name
FROM unnest(%(places)s::text[]) AS wanted (name)
WHERE EXISTS (
    SELECT FROM (
        SELECT photo.id AS photo_id
        FROM library_place AS place JOIN library_photo AS photo ON photo.place_id = place.id
        WHERE wanted.name IN (place.city, place.region, place.country) LIMIT %(most)s
    ) AS tried
    WHERE EXISTS (SELECT FROM ({eligible}) AS eligible (id) WHERE eligible.id = tried.photo_id)
)
UNION ALL
SELECT 'word', wanted.word
FROM (
    SELECT
        word,
        to_tsquery('simple', quote_literal(word)) || to_tsquery('english', quote_literal(word)) AS query
    FROM unnest(%(words)s::text[]) AS asked (word)
) AS wanted
WHERE EXISTS (
    SELECT FROM (
        SELECT photo_id, document FROM search_searchdocument
        WHERE document @@ wanted.query
        LIMIT %(most)s
    ) AS tried
    WHERE EXISTS (SELECT FROM ({eligible}) AS eligible (id) WHERE eligible.id = tried.photo_id)
      AND (
          ts_filter(tried.document, ARRAY['a', 'b', 'd']::"char"[])
              @@ wanted.query
          OR NOT EXISTS (
              SELECT FROM library_photofile AS file
              WHERE file.photo_id = tried.photo_id AND file.root_id = ANY (%(hidden_roots)s::bigint[])
          )
      )
);
