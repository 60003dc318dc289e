-- How many photos of a set have which property: one row for every value of every facet that is wanted.
--
-- Filled in by search.facets (SQL of our own, never what was typed), in the order in which they stand here:
--   {eligible}  SELECT of the photos to count
--   {named}     SELECT photo_id, person_id of who is in which photo
-- Parameters, after those of the two: the facets wanted; the roots hidden from the user; the folder whose
-- children are counted, with a slash at its end, or nothing; the user; what passes for a square.
-- A facet that is not wanted costs nothing: its condition is false before any row is read.
WITH base AS MATERIALIZED (
    SELECT
        p.id, p.format, p.camera_make, p.camera_model, p.latitude, p.is_screenshot,
        p.taken_local AT TIME ZONE 'UTC' AS taken,
        p.width::float8 AS width, p.height::float8 AS height
    FROM library_photo AS p
    WHERE p.id IN ({eligible})
),
named (photo_id, person_id) AS NOT MATERIALIZED (
    {named}
),
asked AS (
    SELECT
        %s::text[] AS wanted, %s::bigint[] AS hidden_roots, %s::text AS folder, %s::bigint AS user_id,
        %s::float8 AS square
)
SELECT 'total' AS facet, '' AS value, count(*) AS number
FROM base
WHERE 'total' = ANY ((SELECT wanted FROM asked)::text[])

UNION ALL
SELECT 'month', to_char(taken, 'YYYY-MM'), count(*)
FROM base
WHERE 'month' = ANY ((SELECT wanted FROM asked)::text[]) AND taken IS NOT NULL
GROUP BY 2

UNION ALL
SELECT 'format', upper(format), count(*)
FROM base
WHERE 'format' = ANY ((SELECT wanted FROM asked)::text[]) AND format <> ''
GROUP BY 2

UNION ALL
SELECT 'camera', camera_make || chr(31) || camera_model, count(*)
FROM base
WHERE 'camera' = ANY ((SELECT wanted FROM asked)::text[]) AND camera_make || camera_model <> ''
GROUP BY 2

UNION ALL
SELECT
    'orientation',
    CASE
        WHEN width > height * (1 + square) THEN 'landscape'
        WHEN height > width * (1 + square) THEN 'portrait'
        ELSE 'square'
    END,
    count(*)
FROM base, asked
WHERE 'orientation' = ANY ((SELECT wanted FROM asked)::text[]) AND width IS NOT NULL AND height IS NOT NULL
GROUP BY 2

UNION ALL
SELECT 'megapixels', floor(width * height / 1e6)::text, count(*)
FROM base
WHERE 'size' = ANY ((SELECT wanted FROM asked)::text[]) AND width IS NOT NULL AND height IS NOT NULL
GROUP BY 2

UNION ALL
SELECT 'category', d.category_id::text, count(DISTINCT d.photo_id)
FROM library_detectedobject AS d
WHERE 'category' = ANY ((SELECT wanted FROM asked)::text[])
  AND d.category_id IS NOT NULL AND d.photo_id IN (SELECT id FROM base)
GROUP BY d.category_id

UNION ALL
SELECT 'person', person_id::text, count(DISTINCT photo_id)
FROM named
WHERE 'people' = ANY ((SELECT wanted FROM asked)::text[]) AND photo_id IN (SELECT id FROM base)
GROUP BY 2

UNION ALL
SELECT 'folder', min(split_part(rest, '/', 1)), count(DISTINCT photo_id)
FROM (
    SELECT f.photo_id, substr(f.display_path, (SELECT length(folder) + 1 FROM asked)) AS rest
    FROM library_photofile AS f
    WHERE f.missing_since IS NULL
      AND f.root_id <> ALL ((SELECT hidden_roots FROM asked)::bigint[])
      AND (
          (SELECT folder = '' FROM asked)
          OR lower(left(f.display_path, (SELECT length(folder) FROM asked))) = (SELECT lower(folder) FROM asked)
      )
      AND f.photo_id IN (SELECT id FROM base)
) AS below
WHERE 'folder' = ANY ((SELECT wanted FROM asked)::text[]) AND strpos(rest, '/') > 0
GROUP BY lower(split_part(rest, '/', 1))

UNION ALL
SELECT 'has', 'gps', count(*)
FROM base
WHERE 'has' = ANY ((SELECT wanted FROM asked)::text[]) AND latitude IS NOT NULL

UNION ALL
SELECT 'has', 'text', count(*)
FROM library_ocrtext AS t
WHERE 'has' = ANY ((SELECT wanted FROM asked)::text[])
  AND t.text <> '' AND t.photo_id IN (SELECT id FROM base)

UNION ALL
SELECT 'has', 'faces', count(DISTINCT f.photo_id)
FROM people_face AS f
WHERE 'has' = ANY ((SELECT wanted FROM asked)::text[])
  AND f.status = 'face' AND f.photo_id IN (SELECT id FROM base)

UNION ALL
SELECT 'has', 'video', count(*)
FROM library_videopart AS v
WHERE 'has' = ANY ((SELECT wanted FROM asked)::text[]) AND v.photo_id IN (SELECT id FROM base)

UNION ALL
SELECT 'is', 'screenshot', count(*)
FROM base
WHERE 'is' = ANY ((SELECT wanted FROM asked)::text[]) AND is_screenshot

UNION ALL
SELECT 'is', 'favourite', count(*)
FROM library_favourite AS l, asked
WHERE 'is' = ANY ((SELECT wanted FROM asked)::text[])
  AND l.user_id = asked.user_id AND l.photo_id IN (SELECT id FROM base)
