-- How similar a face is to faces spread evenly over its space; the same ones as long as the faces stay.
--
-- Filled in by search.faces:
--   {dimensions}    of the space
-- Parameters:
--   vector, space   the face
--   photo           its photo, which is left out
--   size            how many at most, at least 2
SELECT DISTINCT ON (found.id) 1 - (found.embedding::vector({dimensions}) <=> %(vector)s::vector({dimensions}))
FROM (SELECT min(id) AS low, max(id) AS high FROM people_face WHERE space_id = %(space)s) AS range
CROSS JOIN generate_series(0, %(size)s - 1) AS step
CROSS JOIN LATERAL (
    SELECT id, embedding
    FROM people_face
    WHERE space_id = %(space)s AND photo_id <> %(photo)s AND id >= low + (high - low) * step / (%(size)s - 1)
    ORDER BY id
    LIMIT 1
) AS found
ORDER BY found.id;
