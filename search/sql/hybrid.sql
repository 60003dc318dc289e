-- The ranking: photos by words and by meaning, fused by reciprocal rank.
--
-- Filled in by search.hybrid (numbers and SQL of our own, never what was typed):
--   {eligible}      SELECT of the photos that may be found: access rights and filters
--   {distance}      cosine distance of e.vector to the query, exact, or as the HNSW index of the space has it
--   {space}         the embedding space; a literal, because the index is partial
--   {crop_distance} cosine distance of c.vector to the query, exact
--   {typed}         tsquery of what was typed, {expanded} of the same with other words beside it
--   {order}         by score, or by date
--   {spoken_order}  by key; with other words, those first that have the typed ones
-- Parameters:
--   by_words        whether to search by words
--   typed, expanded texts of those tsqueries
--   expanded_weight how much a document counts that has only other words
--   hidden_roots    roots the user may not see: the names (C) of photos with a file there do not count
--   by_meaning      whether to search by meaning
--   by_crops        whether parts of photos count (LOCAL_CROPS)
--   crop_weight     the weight of a photo's best part in its similarity; the rest is that of the whole
--   gate            similarity the best photo must reach, else nothing matches
--   floor, share    similarity every photo must reach, and the share of the way from the centre to the best
--   centre          similarity of unrelated pictures
--   weak            similarity of weaker matches, which are counted
--   spoken          how many photos at most are ranked by words
--   candidates      how many photos at most are found by meaning
--   window          how many photos at most are found by words, and how many can be paged through
--   k               the constant of reciprocal rank fusion; words_weight, meaning_weight: of its two sides
--   size, start     the page
WITH eligible (photo_id) AS NOT MATERIALIZED (
    {eligible}
),
-- The tsquery stands here as a constant, so that the planner knows how frequent its words are: frequent ones
-- are found on the way down the keys, rare ones by the index on documents. The whole document is asked first,
-- because it has that index; without hidden roots the planner drops the rest. Of very many only the newest are
-- ranked.
spoken AS MATERIALIZED (
    SELECT d.photo_id, d.document
    FROM search_searchdocument AS d
    WHERE %(by_words)s
      AND d.document @@ {expanded}
      AND (
          cardinality(%(hidden_roots)s::bigint[]) = 0
          OR NOT EXISTS (
              SELECT FROM library_photofile AS f
              WHERE f.photo_id = d.photo_id AND f.root_id = ANY (%(hidden_roots)s::bigint[])
          )
          OR ts_filter(d.document, ARRAY['a', 'b', 'd']::"char"[]) @@ {expanded}
      )
      AND d.photo_id IN (SELECT photo_id FROM eligible)
    ORDER BY {spoken_order}
    LIMIT %(spoken)s
),
wanted AS (
    SELECT {typed} AS typed, {expanded} AS query
),
-- Weights are PostgreSQL's: A 1, B 0.4, C 0.2, D 0.1; 1 divides by the logarithm of the length.
matching AS (
    SELECT
        spoken.photo_id,
        told.document @@ wanted.typed AS as_typed,
        ts_rank_cd(told.document, wanted.typed, 1)
        + CASE
            WHEN %(expanded_weight)s > 0
            THEN %(expanded_weight)s * ts_rank_cd(told.document, wanted.query, 1)
            ELSE 0
        END AS relevance
    FROM spoken
    CROSS JOIN wanted
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN cardinality(%(hidden_roots)s::bigint[]) > 0 AND EXISTS (
                SELECT FROM library_photofile AS f
                WHERE f.photo_id = spoken.photo_id AND f.root_id = ANY (%(hidden_roots)s::bigint[])
            ) THEN ts_filter(spoken.document, ARRAY['a', 'b', 'd']::"char"[])
            ELSE spoken.document
        END AS document
    ) AS told
    ORDER BY as_typed DESC, relevance DESC, spoken.photo_id DESC
    LIMIT %(window)s
),
-- Equals have equal ranks, so that the other side decides between them. What has only other words comes
-- after everything that has those that were typed, and weighs less beside the other side.
keyword AS (
    SELECT
        photo_id,
        rank() OVER (ORDER BY as_typed DESC, relevance DESC) AS rank,
        CASE WHEN as_typed THEN 1 ELSE %(expanded_weight)s::float8 END AS weight
    FROM matching
),
nearest AS MATERIALIZED (
    SELECT e.photo_id, {distance} AS distance
    FROM library_photoembedding AS e
    WHERE %(by_meaning)s
      AND e.space_id = {space}
      AND e.photo_id IN (SELECT photo_id FROM eligible)
    ORDER BY {distance}, e.photo_id
    LIMIT %(candidates)s
),
-- The similarity that counts: with crops, of the whole and of the best part; without, of the whole.
seen AS MATERIALIZED (
    SELECT
        nearest.photo_id,
        coalesce(
            (1 - %(crop_weight)s::float8) * (1 - nearest.distance) + %(crop_weight)s::float8 * part.similarity,
            1 - nearest.distance
        ) AS similarity
    FROM nearest
    LEFT JOIN LATERAL (
        SELECT 1 - min({crop_distance}) AS similarity
        FROM library_cropembedding AS c
        WHERE %(by_crops)s AND c.photo_id = nearest.photo_id AND c.space_id = {space}
    ) AS part ON %(by_crops)s
),
best AS (
    SELECT max(similarity) AS similarity
    FROM seen
),
-- See search.semantics for the gate and the cut.
semantic AS (
    SELECT seen.photo_id, seen.similarity, rank() OVER (ORDER BY seen.similarity DESC) AS rank
    FROM seen, best
    WHERE best.similarity >= %(gate)s
      AND seen.similarity >= least(
          best.similarity,
          greatest(%(floor)s, %(centre)s::float8 + %(share)s::float8 * (best.similarity - %(centre)s::float8))
      ) - 1e-6
),
fused AS (
    SELECT
        photo_id,
        keyword.rank AS keyword_rank,
        semantic.rank AS semantic_rank,
        semantic.similarity,
        coalesce(keyword.weight * %(words_weight)s::float8 / (%(k)s + keyword.rank), 0)
        + coalesce(%(meaning_weight)s::float8 / (%(k)s + semantic.rank), 0) AS score
    FROM keyword FULL JOIN semantic USING (photo_id)
),
best_fused AS (
    SELECT fused.*, photo.taken_local
    FROM fused
    JOIN library_photo AS photo ON photo.id = fused.photo_id
    ORDER BY score DESC, keyword_rank NULLS LAST, photo_id DESC
    LIMIT %(window)s
),
page AS (
    SELECT best_fused.*, row_number() OVER (ORDER BY {order}) AS position
    FROM best_fused
    ORDER BY position
    LIMIT %(size)s OFFSET %(start)s
),
counted AS (
    SELECT
        (SELECT count(*) FROM best_fused) AS total,
        (
            SELECT count(*)
            FROM seen
            WHERE similarity >= %(weak)s AND photo_id NOT IN (SELECT photo_id FROM fused)
        ) AS weaker,
        (SELECT count(*) FROM nearest) AS near
)
SELECT photo_id, score, keyword_rank, semantic_rank, similarity, total, weaker, near
FROM counted LEFT JOIN page ON true
ORDER BY position;
