#!/usr/bin/env node
// A directory for Hallpass in a JSON file: { "users": [{ id, login, name, active }], "groups": [{ id, name, members }] }.
// One process for each call: a question on standard input, an answer on standard output.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const file = process.argv[2];
const question = JSON.parse(readFileSync(0, 'utf8'));
const { users, groups } = JSON.parse(readFileSync(file, 'utf8'));
const group = groups.find(({ id }) => id === question.group);
const user = users.find(({ id }) => id === question.user);

function answer() {
  switch (question.do) {
    case 'find_group':
      return { group: groups.find(({ id, name }) => name === question.name || id === question.name) ?? null };
    case 'find_user':
      return { user: users.find(({ login }) => login === question.login.toLowerCase()) ?? null };
    case 'get_user':
      return { user: user ?? null };
  }
  if (group === undefined) return { error: { code: 'not_found', missing: 'group' } };
  if (question.do === 'members') return { members: users.filter(({ id }) => group.members.includes(id)) };
  if (user === undefined) return { error: { code: 'not_found', missing: 'user' } };
  const there = group.members.includes(user.id);
  switch (question.do) {
    case 'is_member':
      return { member: there };
    case 'add':
      if (there) return { done: 'already_member' };
      group.members.push(user.id);
      save();
      return { done: 'added' };
    case 'remove':
      if (!there) return { done: 'was_not_member' };
      group.members = group.members.filter((id) => id !== user.id);
      save();
      return { done: 'removed' };
  }
  return { error: { code: 'rejected', message: `no such question: ${question.do}` } };
}

// Beside it first, then in its place: whoever reads in between sees the old file or the new one.
function save() {
  writeFileSync(`${file}.new`, JSON.stringify({ users, groups }));
  renameSync(`${file}.new`, file);
}

console.log(JSON.stringify(answer()));
