//! From events to a tree, without recursion.

use crate::document::{Document, Entry};
use crate::node::{Data, Id};
use crate::scan::{Event, EventKind, Events};
use crate::{Error, MAX_DEPTH, MAX_INPUT, Position};
use std::collections::HashMap;

pub(crate) struct Builder<'input> {
    events: Events<'input>,
    nodes: Vec<Entry>,
    anchors: HashMap<String, Id>,
}

/// A collection whose end was not met yet; a mapping's children are keys and values in turn.
struct Open {
    id: Id,
    children: Vec<Id>,
}

impl<'input> Builder<'input> {
    pub(crate) fn new(text: &'input [u8]) -> Result<Self, Error> {
        if text.len() > MAX_INPUT {
            let problem = format!("the text has {} bytes, more than {MAX_INPUT}", text.len());
            return Err(Error::Limit {
                problem,
                position: Position::default(),
            });
        }
        Ok(Self {
            events: Events::new(text),
            nodes: Vec::new(),
            anchors: HashMap::new(),
        })
    }

    /// The next document, without recursion.
    pub(crate) fn next(&mut self) -> Result<Option<Document>, Error> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        while let Some(event) = self.events.next() {
            let Event { kind, start, end } = event?;
            let finished = match kind {
                EventKind::StreamStart | EventKind::StreamEnd => continue,
                EventKind::DocumentStart { .. } => {
                    self.nodes.clear();
                    self.anchors.clear();
                    continue;
                }
                EventKind::DocumentEnd { .. } => {
                    let nodes = std::mem::take(&mut self.nodes);
                    return Ok(root.map(|root| Document { nodes, root }));
                }
                EventKind::Alias { anchor } => {
                    let Some(target) = self.anchors.get(&anchor).copied() else {
                        let problem = format!("unknown anchor '{anchor}' referenced");
                        return Err(Error::Content {
                            problem,
                            position: start,
                        });
                    };
                    self.add(Data::Alias { target, anchor }, None, start, end)
                }
                EventKind::Scalar {
                    anchor,
                    tag,
                    value,
                    style,
                    implicit,
                } => self.add(
                    Data::Scalar {
                        value,
                        tag,
                        style,
                        implicit,
                    },
                    anchor,
                    start,
                    end,
                ),
                EventKind::SequenceStart { anchor, flow } => {
                    let id = self.add(
                        Data::Sequence {
                            items: Vec::new(),
                            flow,
                        },
                        anchor,
                        start,
                        end,
                    );
                    self.enter(&mut open, id)?;
                    continue;
                }
                EventKind::MappingStart { anchor, flow } => {
                    let id = self.add(
                        Data::Mapping {
                            entries: Vec::new(),
                            flow,
                        },
                        anchor,
                        start,
                        end,
                    );
                    self.enter(&mut open, id)?;
                    continue;
                }
                EventKind::SequenceEnd | EventKind::MappingEnd => {
                    let Some(done) = open.pop() else { continue };
                    self.close(&done, end);
                    done.id
                }
            };
            match open.last_mut() {
                Some(parent) => parent.children.push(finished),
                None => root = Some(finished),
            }
        }
        Ok(None)
    }

    fn add(&mut self, data: Data, anchor: Option<String>, start: Position, end: Position) -> Id {
        let id = self.nodes.len();
        self.nodes.push(Entry { data, start, end });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        id
    }

    fn enter(&self, open: &mut Vec<Open>, id: Id) -> Result<(), Error> {
        if open.len() >= MAX_DEPTH {
            let position = self
                .nodes
                .get(id)
                .map(|entry| entry.start)
                .unwrap_or_default();
            return Err(Error::Limit {
                problem: format!("exceeded max depth of {MAX_DEPTH}"),
                position,
            });
        }
        open.push(Open {
            id,
            children: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self, open: &Open, end: Position) {
        let last = open
            .children
            .last()
            .and_then(|id| self.nodes.get(*id))
            .map(|entry| entry.end);
        let Some(entry) = self.nodes.get_mut(open.id) else {
            return;
        };
        let is_flow = match &mut entry.data {
            Data::Sequence { items, flow } => {
                items.clone_from(&open.children);
                *flow
            }
            Data::Mapping { entries, flow } => {
                *entries = open
                    .children
                    .chunks_exact(2)
                    .map(|pair| (pair[0], pair[1]))
                    .collect();
                *flow
            }
            Data::Scalar { .. } | Data::Alias { .. } => true,
        };
        entry.end = if is_flow {
            end
        } else {
            last.unwrap_or(entry.start)
        };
    }
}
