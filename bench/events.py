"""Realistic Mixpanel batches for the benchmarks: what mixpanel-browser sets by default, an application's own properties, free
text with now and then an address in it.  Seeded; about 1.1 KB an event."""
import json, random

WORDS = ("order cart checkout search signup invoice payment profile report dashboard export filter shipping address team workspace "
         "project upgrade trial billing please call me about the broken button it does not load when I click save").split()


def batch(n=50, token="web-source-token", seed=1, events=("signup", "chat_sent", "$mp_web_page_view")):
    r = random.Random(seed)
    hexs = lambda k: "%0*x" % (k, r.getrandbits(4 * k))
    words = lambda a, b: " ".join(r.choice(WORDS) for _ in range(r.randint(a, b)))
    out = []
    for i in range(n):
        device = "-".join((hexs(8), hexs(4), "4" + hexs(3), "a" + hexs(3), hexs(12)))
        p = {"token": token, "distinct_id": "$device:" + device if r.random() < .5 else f"user_{r.randint(1, 10**7)}",
             "time": 1764000000 + i / 1000, "$insert_id": hexs(16), "$os": r.choice(["iOS", "Android", "Windows", "Mac OS X"]),
             "$browser": r.choice(["Chrome", "Safari", "Firefox"]), "$browser_version": r.randint(90, 140),
             "$current_url": f"https://app.example.com/{r.choice(WORDS)}/{hexs(8)}?q={r.choice(WORDS)}&utm_source={r.choice(WORDS)}",
             "$referrer": f"https://www.example.org/search?q={r.choice(WORDS)}", "$screen_height": 1080, "$screen_width": 1920,
             "mp_lib": "web", "$lib_version": "2.83.0", "$device_id": device, "$city": r.choice(["Berlin", "Paris", "Austin"]),
             "$initial_referrer": "$direct", "$initial_referring_domain": "$direct"}
        for _ in range(r.randint(6, 12)):
            p[r.choice(WORDS) + r.choice(["", "_id", "_count", "Type", "_flag"])] = r.choice(
                [r.randint(0, 10**9), round(r.random() * 1000, 3), r.random() < .5, None, words(1, 4), hexs(12)])
        p["note"] = words(8, 30) + (f" {r.choice(WORDS)}@{r.choice(WORDS)}.example.com" if r.random() < .06 else "")
        if r.random() < .25:
            p["products"] = [{"sku": f"SKU-{r.randint(1, 9999)}", "name": words(2, 4), "price": round(r.random() * 300, 2)} for _ in range(2)]
        out.append({"event": r.choice(events), "properties": p})
    return out


def encode(events):
    return json.dumps(events, separators=(",", ":")).encode()
