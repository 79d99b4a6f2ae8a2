-- Which doors are knocked at in vain?
WITH flow_rows AS (
{{flow_rows}}
)
SELECT protocol, dst_port, count(*) AS records, count(DISTINCT src) AS senders, count(DISTINCT interface_id) AS interfaces
FROM flow_rows
WHERE status = 'OK' AND action = 'REJECT'
GROUP BY protocol, dst_port
ORDER BY records DESC, protocol, dst_port
LIMIT 100
