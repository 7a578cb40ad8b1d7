-- The requests of one wrk thread: creates of new pairs, creates of taken ones, or gets.
-- WORK is create, conflict or get; IDS names a file with an ID a line.
local work = os.getenv("WORK")
local headers = { ["content-type"] = "application/json" }
local threads = 0
local ids = {}

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init()
  -- Profiles of every run are new, and random like real ones.
  math.randomseed(os.time() * 1000 + number)
  run = string.format("%08x", math.random(0, 0x7fffffff))
  count = 0
  if work == "get" then
    for id in io.lines(os.getenv("IDS")) do ids[#ids + 1] = id end
  end
end

function request()
  if work == "get" then
    return wrk.format("GET", "/auth/connections/" .. ids[math.random(#ids)])
  end
  local profile, domain
  if work == "create" then
    count = count + 1
    profile = string.format("u-%s-%d-%08x-%d", run, number, math.random(0, 0x7fffffff), count)
    domain = string.format("site-%d.example.com", count % 500)
  else
    local n = math.random(0, 999)
    profile = "taken-" .. n
    domain = "taken.example.com"
  end
  local body = string.format('{"domain":"%s","profile_name":"%s"}', domain, profile)
  return wrk.format("POST", "/auth/connections", headers, body)
end

function done(summary, latency)
  io.stderr:write(string.format("%.0f %.0f %.0f\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99)))
end
