-- A table over Parquet flow logs in S3, with partition projection.
-- Of the default layout. Columns are found by name, and those that a file lacks are null.
CREATE EXTERNAL TABLE IF NOT EXISTS {{table}} (
    version int,
    account_id string,
    interface_id string,
    srcaddr string,
    dstaddr string,
    srcport int,
    dstport int,
    protocol bigint,
    packets bigint,
    bytes bigint,
    start bigint,
    `end` bigint,
    action string,
    log_status string,
    tcp_flags int,
    pkt_srcaddr string,
    pkt_dstaddr string,
    pkt_src_aws_service string,
    pkt_dst_aws_service string,
    flow_direction string,
    resource_id string
)
PARTITIONED BY (accid string, region string, day string)
STORED AS PARQUET
LOCATION '{{location}}/AWSLogs/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.accid.type' = 'enum',
    'projection.accid.values' = '{{accounts}}',
    'projection.region.type' = 'enum',
    'projection.region.values' = '{{regions}}',
    'projection.day.type' = 'date',
    'projection.day.range' = '2020/01/01,NOW',
    'projection.day.format' = 'yyyy/MM/dd',
    'storage.location.template' = '{{location}}/AWSLogs/${accid}/vpcflowlogs/${region}/${day}'
)
