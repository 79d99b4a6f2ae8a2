-- Which groups did nothing, though interfaces carry them? The groups, and the interfaces that carry them, are those of the
-- inventory.
WITH flow_rows AS (
{{flow_rows}}
),
carried (interface_id, group_id, is_open) AS (
{{carried}}
)
SELECT carried.group_id, count(DISTINCT carried.interface_id) AS interfaces
FROM carried
LEFT JOIN flow_rows ON flow_rows.interface_id = carried.interface_id AND flow_rows.status = 'OK' AND flow_rows.action = 'ACCEPT'
GROUP BY carried.group_id
HAVING count(flow_rows.interface_id) = 0
ORDER BY carried.group_id
