#!/usr/bin/env python3
"""Is a file of `ocitk run --trace FILE` a trace that a viewer opens, and does it make sense?

    trace_check.py FILE
"""
import json
import sys


def main():
    trace = json.load(open(sys.argv[1]))
    events = trace['traceEvents']
    spans = [e for e in events if e['ph'] == 'X']
    assert len(spans) > 50, f'{len(spans)} events'
    assert {e['ph'] for e in events} == {'X', 'M'}
    for e in spans:
        args = e['args']
        assert e['cat'] in ('stage', 'call') and e['name'], e
        assert set(args) == {'process', 'stage', 'args', 'pointer', 'start_ns', 'duration_ns', 'result', 'errno', 'error'}, e
        assert e['pid'] == {'parent': 1, 'bridge': 2, 'init': 3}[args['process']] and e['tid'] == 1, e
        assert 0 <= args['duration_ns'] < 60e9, e
        assert abs(e['ts'] * 1000 - args['start_ns']) < 1000 and abs(e['dur'] * 1000 - args['duration_ns']) < 2, e
        assert (args['error'] != '') == (args['errno'] != 0 and e['cat'] == 'call'), e
        assert args['pointer'] == '' or args['pointer'].startswith('/'), e
    begin = min(e['args']['start_ns'] for e in spans)
    end = max(e['args']['start_ns'] + e['args']['duration_ns'] for e in spans)
    assert end - begin < 120e9, 'the trace takes longer than any test'
    inside = 0
    for process in ('parent', 'bridge', 'init'):
        ours = [e for e in spans if e['args']['process'] == process]
        stages = [e['args'] for e in ours if e['cat'] == 'stage']
        calls = [e['args'] | {'name': e['name']} for e in ours if e['cat'] == 'call']
        # calls of one process follow each other
        row = sorted(calls, key=lambda c: c['start_ns'])
        for one, next_one in zip(row, row[1:]):
            assert one['start_ns'] + one['duration_ns'] <= next_one['start_ns'], (one, next_one)
        # a call of a stage lies in a span of that stage, but where the stage never ends
        for call in calls:
            if call['stage'] in ('', 'exec'):
                continue
            assert any(s['stage'] == call['stage'] and s['start_ns'] <= call['start_ns'] and
                       call['start_ns'] + call['duration_ns'] <= s['start_ns'] + s['duration_ns'] for s in stages), call
            inside += 1
        # stages do not overlap unless one is within the other
        for a in stages:
            for b in stages:
                if a['start_ns'] < b['start_ns'] < a['start_ns'] + a['duration_ns']:
                    assert b['start_ns'] + b['duration_ns'] <= a['start_ns'] + a['duration_ns'], (a, b)
    assert inside > 20, inside


main()
