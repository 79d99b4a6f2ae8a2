-- Which groups did nothing, though interfaces carry them? The groups, and the interfaces that carry them, are those of the
-- inventory.
WITH flow_rows AS (
{{flow_rows}}
),
carried (interface_id, group_id, is_open) AS (
{{carried}}
)
SELECT group_id, count(DISTINCT interface_id) AS interfaces
FROM carried
WHERE group_id NOT IN (
    SELECT carried.group_id
    FROM carried
    JOIN flow_rows ON flow_rows.interface_id = carried.interface_id
    WHERE flow_rows.status = 'OK' AND flow_rows.action = 'ACCEPT'
)
GROUP BY group_id
ORDER BY group_id
