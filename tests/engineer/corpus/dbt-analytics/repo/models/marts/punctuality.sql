select line, avg((arrived_at <= due_at)::int) as share_on_time
from {{ ref('stg_trains') }} join {{ ref('timetable') }} using (train_id)
group by 1
