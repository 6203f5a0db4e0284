//! What Redis does in one step.

use std::sync::LazyLock;

use redis::Script;

/// Keys: the record, its shard's set of keys. Arguments: the version expected, empty for none; the call; the new value;
/// when it expires, empty for never; the key's name in the set.
pub(crate) static WRITE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local present = redis.call('GET', KEYS[1])
if present and string.sub(present, 17, 32) == ARGV[2] then return 1 end -- the same call, sent again
if ARGV[1] == '' then
  if present then return 0 end
elseif not present or string.sub(present, 1, 8) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], 0, ARGV[5])
if ARGV[4] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[4]) end
return 1",
    )
});

/// Keys: the record, its shard's set of keys, a marker of this call. Arguments: the version expected; the key's name in
/// the set.
pub(crate) static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('EXISTS', KEYS[3]) == 1 then return 1 end -- the same call, sent again
local present = redis.call('GETRANGE', KEYS[1], 0, 7)
if present ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('SET', KEYS[3], '', 'PX', 60000)
return 1",
    )
});

/// Keys: the record, its shard's set of keys. Arguments: the version expected; the new moment, as it is stored, and as
/// Redis wants it.
pub(crate) static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local present = redis.call('GETRANGE', KEYS[1], 0, 7)
if present ~= ARGV[1] then return 0 end
redis.call('SETRANGE', KEYS[1], 8, ARGV[2])
if ARGV[3] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
end
return 1",
    )
});

/// Key: a shard's set of keys. Arguments: what the names of its records begin with; the last key seen; how many are
/// wanted. Answers names with their values, and forgets those that have expired.
pub(crate) static SCAN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local from = '-'
if ARGV[2] ~= '' then from = '(' .. ARGV[2] end
local names = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, ARGV[3])
local found = {}
for i, name in ipairs(names) do
  local value = redis.call('GET', ARGV[1] .. name)
  if not value then redis.call('ZREM', KEYS[1], name) end
  found[i] = {name, value}
end
return found",
    )
});
