"""`python -m mmsearch_core.demo.load_collections URI`: Milvus Lite forgets over a restart which collections were loaded.

A larger Milvus does not. A process of its own, since a client keeps its connection and its threads for good.
"""

import sys

from pymilvus import MilvusClient

if __name__ == "__main__":
    client = MilvusClient(sys.argv[1])
    for name in client.list_collections():
        client.load_collection(name)
