select
    train_id,
    line,
    departed_at::timestamp as departed_at,
    arrived_at::timestamp as arrived_at
from {{ source('operations', 'trains') }}
