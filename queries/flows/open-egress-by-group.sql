-- What do the groups that let everything out really send to the internet? The groups, and the interfaces that carry
-- them, are those of the inventory.
WITH flow_rows AS (
{{flow_rows}}
),
carried (interface_id, group_id, is_open) AS (
{{carried}}
)
SELECT carried.group_id, flow_rows.protocol, flow_rows.dst_port, count(DISTINCT flow_rows.dst) AS destinations, {{integer:sum(flow_rows.bytes)}} AS bytes
FROM flow_rows
JOIN carried ON carried.interface_id = flow_rows.interface_id
WHERE carried.is_open = 1 AND flow_rows.status = 'OK' AND flow_rows.action = 'ACCEPT'
    AND NOT {{private:flow_rows.dst}} AND flow_rows.dst_port < flow_rows.src_port
GROUP BY carried.group_id, flow_rows.protocol, flow_rows.dst_port
ORDER BY bytes DESC, carried.group_id, flow_rows.protocol, flow_rows.dst_port
LIMIT 100
