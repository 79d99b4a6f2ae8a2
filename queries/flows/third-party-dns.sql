-- Who asks resolvers on the internet? Questions to Amazon's own are never logged (flow-logs-limitations.html), so each
-- of these is somebody else's. 53 plain, 853 with TLS.
WITH flow_rows AS (
{{flow_rows}}
)
SELECT interface_id, src, dst, protocol, dst_port, count(*) AS records, min(start_time) AS first_seen, max(end_time) AS last_seen
FROM flow_rows
WHERE status = 'OK' AND action = 'ACCEPT' AND dst_port IN (53, 853) AND src_port >= 1024 AND NOT {{private:dst}}
GROUP BY interface_id, src, dst, protocol, dst_port
ORDER BY records DESC, interface_id, src, dst, protocol, dst_port
