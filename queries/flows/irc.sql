-- Who talks to IRC servers on the internet? A packet to such a port from a client's port, so that the answer of a server
-- to a client that happens to use 6667 is not among them; a row is a lead, and `closegate audit` asks who opened it.
WITH flow_rows AS (
{{flow_rows}}
)
SELECT interface_id, src, dst, dst_port, count(*) AS records, {{integer:sum(bytes)}} AS bytes, min(start_time) AS first_seen, max(end_time) AS last_seen
FROM flow_rows
WHERE status = 'OK' AND action = 'ACCEPT' AND protocol = 6 AND (dst_port BETWEEN 6665 AND 6669 OR dst_port = 6697)
    AND src_port >= 1024 AND src_port NOT IN ({{listeners}}) AND NOT {{private:dst}}
GROUP BY interface_id, src, dst, dst_port
ORDER BY records DESC, interface_id, src, dst, dst_port
