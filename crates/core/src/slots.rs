//! A generational slab: values with small, copyable keys that never name two values.
//!
//! Drivers keep their sockets in one, and the reactor mirrors it. An index is used again, its generation is not: a
//! late event for a closed connection finds nothing instead of a stranger (mio CVE-2024-27308, SECURITY H1-28).

/// The name of a value in a [`Slots`]: an index that is reused and a generation that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// A key from its parts, for drivers that carry it through a token.
    #[must_use]
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The place in the table, used again after the value is gone.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How often the place was used before.
    #[must_use]
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

/// A table of values with generational keys.
///
/// ```
/// use ropewalk_core::slots::Slots;
///
/// let mut slots = Slots::new();
/// let first = slots.insert("first");
/// assert_eq!(slots.remove(first), Some("first"));
/// let second = slots.insert("second");
/// assert_eq!(second.index(), first.index());
/// assert_eq!(slots.get(first), None, "an old key names nothing");
/// ```
#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slots<T> {
    /// An empty table; it allocates nothing before the first value.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts a value in a free place.
    pub fn insert(&mut self, value: T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| self.grow());
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        Key {
            index,
            generation: slot.generation,
        }
    }

    /// Takes a value out; its key names nothing from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slot_mut(key)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// The value of that key, if it is still there.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        if slot.generation == key.generation {
            slot.value.as_ref()
        } else {
            None
        }
    }

    /// The value of that key, if it is still there, to change.
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slot_mut(key)?.value.as_mut()
    }

    /// Every value with its key, in order of place.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let key = Key {
                index: index as u32,
                generation: slot.generation,
            };
            slot.value.as_ref().map(|value| (key, value))
        })
    }

    /// Every key in use, in order of place.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn slot_mut(&mut self, key: Key) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(key.index as usize)?;
        (slot.generation == key.generation).then_some(slot)
    }

    fn grow(&mut self) -> u32 {
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 values");
        self.slots.push(Slot {
            generation: 0,
            value: None,
        });
        index
    }
}

/// Values at keys that another table gave, as the reactor keeps what it knows of a driver's connections.
#[derive(Debug)]
pub struct Mirror<T> {
    places: Vec<Option<(u32, T)>>,
}

impl<T> Default for Mirror<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Mirror<T> {
    /// An empty table; it allocates nothing before the first value.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// Puts a value at a key. What an older generation left there is returned.
    pub fn insert(&mut self, key: Key, value: T) -> Option<T> {
        let place = key.index as usize;
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place]
            .replace((key.generation, value))
            .map(|(_, value)| value)
    }

    /// Takes the value of that key out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        place
            .take_if(|(generation, _)| *generation == key.generation)
            .map(|(_, value)| value)
    }

    /// The value of that key, to change.
    #[must_use]
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (generation, value) = self.places.get_mut(key.index as usize)?.as_mut()?;
        (*generation == key.generation).then_some(value)
    }

    /// The value of that key.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        let (generation, value) = self.places.get(key.index as usize)?.as_ref()?;
        (*generation == key.generation).then_some(value)
    }

    /// Every value with its key, in order of place.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            let (generation, value) = place.as_ref()?;
            Some((
                Key {
                    index: index as u32,
                    generation: *generation,
                },
                value,
            ))
        })
    }

    /// Every key in use, in order of place.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        self.iter().map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_names_nothing() {
        let mut slots = Slots::new();
        let old = slots.insert(1);
        assert_eq!(slots.remove(old), Some(1));
        assert_eq!(slots.remove(old), None);
        let new = slots.insert(2);
        assert_eq!(old.index(), new.index());
        assert_eq!((slots.get(old), slots.get(new)), (None, Some(&2)));
    }

    #[test]
    fn a_mirror_follows_its_original() {
        let mut original = Slots::new();
        let mut mirror = Mirror::new();
        let key = original.insert(());
        assert_eq!(mirror.insert(key, "a"), None);
        original.remove(key);
        let again = original.insert(());
        assert_eq!(mirror.insert(again, "b"), Some("a"));
        assert_eq!((mirror.get(key), mirror.get(again)), (None, Some(&"b")));
        assert_eq!(
            (mirror.remove(key), mirror.remove(again)),
            (None, Some("b"))
        );
    }
}
