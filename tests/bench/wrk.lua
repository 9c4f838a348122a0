-- Sends the requests of a file in turn and prints one line of JSON. A line of the file is a method, a
-- path, a token and a body, separated by tabs. Each thread begins at another place.
--   wrk ... -s wrk.lua URL -- FILE THREADS
local started = 0

function setup(thread)
  thread:set("number", started)
  started = started + 1
end

function init(arguments)
  requests = {}
  for line in io.lines(arguments[1]) do
    local method, path, token, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {}
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    if body ~= "" then headers["Content-Type"] = "application/json" else body = nil end
    requests[#requests + 1] = wrk.format(method, path, headers, body)
  end
  position = math.floor(#requests * number / tonumber(arguments[2]))
end

function request()
  position = position % #requests + 1
  return requests[position]
end

-- Times in microseconds. What wrk calls a status error is a status above 399.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"requests":%d,"duration":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
