//! The variables of one template.

use std::collections::HashMap;
use std::rc::Rc;

use super::node::VariableNode;

/// Names, their slots, and which of them are in reach.
pub(super) struct Variables {
    slots: HashMap<Rc<str>, usize>,
    /// The slots that were declared and not forgotten, in order.
    declared: Vec<usize>,
    /// How often each slot is among them.
    counts: Vec<usize>,
}

impl Default for Variables {
    /// `$` is always there.
    fn default() -> Self {
        let mut variables = Self {
            slots: HashMap::new(),
            declared: Vec::new(),
            counts: Vec::new(),
        };
        variables.declare("$");
        variables
    }
}

impl Variables {
    pub(super) fn declare(&mut self, name: &str) -> VariableNode {
        let (name, slot) = match self.slots.get_key_value(name) {
            Some((name, slot)) => (Rc::clone(name), *slot),
            None => {
                let name: Rc<str> = name.into();
                let slot = self.counts.len();
                self.slots.insert(Rc::clone(&name), slot);
                self.counts.push(0);
                (name, slot)
            }
        };
        self.declared.push(slot);
        self.counts[slot] += 1;
        VariableNode { name, slot }
    }

    /// A variable that is in reach.
    pub(super) fn find(&self, name: &str) -> Option<VariableNode> {
        let (name, slot) = self.slots.get_key_value(name)?;
        (self.counts[*slot] > 0).then(|| VariableNode {
            name: Rc::clone(name),
            slot: *slot,
        })
    }

    /// What [`Self::forget`] goes back to.
    pub(super) fn mark(&self) -> usize {
        self.declared.len()
    }

    /// Forgets what was declared since the mark.
    pub(super) fn forget(&mut self, mark: usize) {
        for slot in self.declared.drain(mark.min(self.declared.len())..) {
            self.counts[slot] -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_slot_and_is_in_reach_until_it_is_forgotten() {
        let mut variables = Variables::default();
        assert_eq!(variables.find("$").map(|found| found.slot), Some(0));
        assert_eq!(variables.declare("$x").slot, 1);
        let mark = variables.mark();
        assert_eq!(variables.declare("$x").slot, 1);
        assert_eq!(variables.declare("$y").slot, 2);
        variables.forget(mark);
        assert_eq!(variables.find("$x").map(|found| found.slot), Some(1));
        assert_eq!(variables.find("$y").map(|found| found.slot), None);
    }
}
