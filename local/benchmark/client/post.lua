-- For wrk: POSTs the bodies of a list in turn, and prints what came of it as a line of JSON.
-- The list has a line for each: the path of its file, a tab, its content type.
local requests, sent = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local path, content_type = line:match("^(.-)\t(.*)$")
    local file = assert(io.open(path, "rb"))
    requests[#requests + 1] = wrk.format("POST", nil, {["Content-Type"] = content_type}, file:read("*a"))
    file:close()
  end
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "failed": %d, "wall_s": %f, "p50_ms": %f, "p99_ms": %f}',
    summary.requests, errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
