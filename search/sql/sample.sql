-- The vectors of photos spread evenly over a space; the same ones as long as the photos stay the same.
--
-- space             the embedding space
-- size              how many at most, at least 2
-- crops             whether to give the vectors of each photo's parts, too
--
-- Walks in equal steps from the lowest to the highest photo and takes the next one that has a vector: one
-- index lookup a step, however large the space is.
SELECT DISTINCT ON (found.photo_id)
    found.vector::text,
    ARRAY(
        SELECT c.vector::text
        FROM library_cropembedding AS c
        WHERE %(crops)s AND c.photo_id = found.photo_id AND c.space_id = %(space)s
    ) AS parts
FROM (
    SELECT min(photo_id) AS low, max(photo_id) AS high
    FROM library_photoembedding
    WHERE space_id = %(space)s
) AS range
CROSS JOIN generate_series(0, %(size)s - 1) AS step
CROSS JOIN LATERAL (
    SELECT photo_id, vector
    FROM library_photoembedding
    WHERE space_id = %(space)s AND photo_id >= low + (high - low) * step / (%(size)s - 1)
    ORDER BY photo_id
    LIMIT 1
) AS found
ORDER BY found.photo_id;
