-- Who sends the most? The interfaces and addresses with the most bytes.
WITH flow_rows AS (
{{flow_rows}}
)
SELECT interface_id, src, dst, protocol, {{integer:sum(bytes)}} AS bytes, {{integer:sum(packets)}} AS packets, count(*) AS records
FROM flow_rows
WHERE status = 'OK' AND action = 'ACCEPT'
GROUP BY interface_id, src, dst, protocol
ORDER BY bytes DESC, interface_id, src, dst, protocol
LIMIT 25
