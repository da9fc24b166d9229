# An exchange between tasks that act as processes, like the collective operations of a communicator.
mutable struct Meeting
    given::Vector{Any}
    last::Vector{Any}
    arrived::Int
    round::Int
    late::Bool
    changed::Threads.Condition
end

Meeting(size) = Meeting(Vector{Any}(undef, size), [], 0, 0, false, Threads.Condition())

"What each task gave, once all have come. Fails where they do not come for the same thing, or one stays away."
function meet(meeting, rank, what, value)
    lock(meeting.changed)
    try
        meeting.given[rank+1] = (what, length(value)) => deepcopy(value)
        meeting.arrived += 1
        round = meeting.round
        if meeting.arrived == length(meeting.given)
            meeting.last, meeting.arrived, meeting.round = copy(meeting.given), 0, round + 1
            notify(meeting.changed)
        else
            timer = Timer(_ -> lock(() -> (meeting.late = true; notify(meeting.changed)), meeting.changed), 60)
            while meeting.round == round && !meeting.late
                wait(meeting.changed)
            end
            close(timer)
            meeting.round == round && error("task $rank waits for $what alone")
        end
        wanted = map(first, meeting.last)
        all(==(wanted[1]), wanted) || error("the tasks want different things: $wanted")
        return map(last, meeting.last)
    finally
        unlock(meeting.changed)
    end
end
