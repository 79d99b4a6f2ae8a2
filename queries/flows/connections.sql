-- What an audit is made of: the flows of a time, folded as `closegate ingest` folds them. Partial results of several
-- times add up exactly: sums, minima, maxima, and the days that rows touch are part of what rows are grouped by.
WITH flow_rows AS (
{{flow_rows}}
),
-- Overlapping flow logs record the same packets each (flow-logs-s3-path.html); a row is counted once.
once AS (
    SELECT
        status, interface_id, src, dst, src_port, dst_port, protocol, action, start_time, end_time, way,
        count(*) AS copies,
        max(packets) AS packets,
        max(bytes) AS bytes,
        max(syn) AS syn,
        max(syn_ack) AS syn_ack,
        max(src_rewritten) AS src_rewritten,
        max(dst_rewritten) AS dst_rewritten,
        min(src_service) AS src_service,
        min(dst_service) AS dst_service
    FROM flow_rows
    GROUP BY status, interface_id, src, dst, src_port, dst_port, protocol, action, start_time, end_time, way
),
-- What a port says of its end, as src/flow/presume.rs has it: the end that is the client takes a new port for every
-- connection, and only a few of them are worth keeping.
classed AS (
    SELECT
        *,
        CASE WHEN src_port IN ({{listeners}}) THEN 1 WHEN src_port < 1024 THEN 0 WHEN src_port >= 32768 THEN 3 ELSE 2 END AS src_class,
        CASE WHEN dst_port IN ({{listeners}}) THEN 1 WHEN dst_port < 1024 THEN 0 WHEN dst_port >= 32768 THEN 3 ELSE 2 END AS dst_class
    FROM once
),
presumed AS (
    SELECT
        *,
        CASE
            WHEN protocol NOT IN (6, 17) OR status <> 'OK' THEN 'neither'
            WHEN src_class + dst_class = 1 THEN 'neither'
            WHEN src_class > dst_class AND NOT (protocol = 6 AND syn_ack = 1) THEN 'src'
            WHEN src_class < dst_class AND NOT (protocol = 6 AND syn = 1) THEN 'dst'
            ELSE 'neither'
        END AS dropped
    FROM classed
)
SELECT
    status, interface_id, src, dst,
    CASE dropped WHEN 'src' THEN 0 ELSE src_port END AS src_port,
    CASE dropped WHEN 'dst' THEN 0 ELSE dst_port END AS dst_port,
    protocol, action, dropped,
    start_time - start_time % 86400 AS first_day,
    end_time - end_time % 86400 AS last_day,
    count(*) AS records,
    sum(copies) - count(*) AS duplicates,
    sum(packets) AS packets,
    sum(bytes) AS bytes,
    min(start_time) AS first_seen,
    max(end_time) AS last_seen,
    max(syn) AS syn,
    max(syn_ack) AS syn_ack,
    max(CASE way WHEN 'egress' THEN 1 ELSE 0 END) AS egress,
    max(CASE way WHEN 'ingress' THEN 1 ELSE 0 END) AS ingress,
    max(src_rewritten) AS src_rewritten,
    max(dst_rewritten) AS dst_rewritten,
    min(src_service) AS src_service,
    min(dst_service) AS dst_service,
    array_join(slice(array_sort(array_agg(DISTINCT CASE dropped WHEN 'src' THEN src_port WHEN 'dst' THEN dst_port ELSE 0 END)), 1, 5), ' ') AS ports
FROM presumed
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
