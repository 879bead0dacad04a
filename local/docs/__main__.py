from local.docs.generate import main

raise SystemExit(main())
