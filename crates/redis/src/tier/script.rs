//! What Redis does in one step. The keys of each are the group's fence and the group's hash.

use std::sync::LazyLock;

use redis::Script;

macro_rules! script {
    ($(#[$doc:meta])* $name:ident = $($part:expr),+) => {
        $(#[$doc])*
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(&[$($part),+].concat()));
    };
}

const FENCE_OR_NEW: &str = r"
local fence = redis.call('GET', KEYS[1])
if not fence then
  fence = ARGV[1]
  redis.call('SET', KEYS[1], fence)
end
";

/// Lengthens the life of the group, whose objects have lives of different lengths.
const KEEP: &str = r"
local function keep(millis)
  if redis.call('PTTL', KEYS[2]) < tonumber(millis) then redis.call('PEXPIRE', KEYS[2], millis) end
end
";

/// Calls `change` for each object that is meant: of one field or of all, of one generation or of any.
const EACH: &str = r"
local function each(field, generation, change)
  local fields = {field}
  if field == '' then fields = redis.call('HKEYS', KEYS[2]) end
  local changed = {}
  for _, name in ipairs(fields) do
    local object = redis.call('HGET', KEYS[2], name)
    if object and (generation == '' or string.sub(object, 1, 8) == generation) then
      change(name, object)
      changed[#changed + 1] = {name, string.sub(object, 1, 32)}
    end
  end
  return changed
end
";

script! {
    /// Argument: a fence, for when there is none.
    FENCE = FENCE_OR_NEW, "return fence"
}

script! {
    /// Arguments: a fence, for when there is none; the field. Answers the fence and the object.
    LOOKUP = FENCE_OR_NEW, "return {fence, redis.call('HGET', KEYS[2], ARGV[2])}"
}

script! {
    /// Arguments: the fence that must be there; the field; the object; its lifetime; the generation that may be replaced, empty
    /// for none, or `any`. Answers whether it was published, and the head of what it replaced.
    COMMIT = KEEP, r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, false} end
local replaced = redis.call('HGET', KEYS[2], ARGV[2])
if replaced == ARGV[3] then return {1, false} end -- the same call, sent again
if replaced and ARGV[5] ~= 'any' and string.sub(replaced, 1, 8) ~= ARGV[5] then return {0, false} end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
keep(ARGV[4])
return {1, replaced and string.sub(replaced, 1, 32)}
"
}

script! {
    /// Arguments: field and generation, empty for all; the new fence. Answers fields and heads of what was removed.
    PURGE = EACH, r"
redis.call('SET', KEYS[1], ARGV[3])
return each(ARGV[1], ARGV[2], function(name) redis.call('HDEL', KEYS[2], name) end)
"
}

script! {
    /// Arguments: field and generation, empty for all; the new fence; since when. Answers fields and heads.
    EXPIRE = EACH, r"
redis.call('SET', KEYS[1], ARGV[3])
local at = struct.unpack('>I8', ARGV[4])
return each(ARGV[1], ARGV[2], function(name, object)
  if at < struct.unpack('>I8', string.sub(object, 9, 16)) then
    redis.call('HSET', KEYS[2], name, string.sub(object, 1, 8) .. ARGV[4] .. string.sub(object, 17))
  end
end)
"
}

script! {
    /// Arguments: field and generation; the new fence; the new metadata; the lifetime. Answers field and head.
    UPDATE = EACH, KEEP, r"
local changed = each(ARGV[1], ARGV[2], function(name, object)
  local rest = 33 + struct.unpack('>I4', string.sub(object, 29, 32))
  redis.call('HSET', KEYS[2], name, string.sub(object, 1, 8) .. string.rep('\255', 8) .. string.sub(object, 17, 28)
    .. struct.pack('>I4', #ARGV[4]) .. ARGV[4] .. string.sub(object, rest))
  keep(ARGV[5])
end)
if #changed > 0 then redis.call('SET', KEYS[1], ARGV[3]) end
return changed
"
}
